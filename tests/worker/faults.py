"""The hook that lets a test kill or stop a process at a named point, by the variable FAULTS."""

import os
import signal

from msgqueue.observe.faults import install_hook

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def install() -> None:
    """Arm what `FAULTS=point:kill:once-file,...` says: once, since the file is then there."""
    armed = [spec.split(":") for spec in os.environ.get("FAULTS", "").split(",") if spec]

    def strike(name: str) -> None:
        for point, action, once in armed:
            if name == point:
                try:
                    os.close(os.open(once, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
                os.kill(os.getpid(), SIGNALS[action])

    if armed:
        install_hook(strike)
