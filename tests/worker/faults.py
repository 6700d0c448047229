"""The hook that lets a test kill or stop a process at a named point, by the variable FAULTS."""

import os
import signal
import time
from collections import Counter

from msgqueue.observe.faults import install_hook

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def install() -> None:
    """Arm what `FAULTS=point:kill:file[:n],...` says: at the n-th passing, the first by default.

    It strikes once, since the file is then there: `<point> <monotonic time> <pid>`.
    """
    armed = [spec.split(":") for spec in os.environ.get("FAULTS", "").split(",") if spec]
    passed: Counter[str] = Counter()

    def strike(name: str) -> None:
        passed[name] += 1
        for point, action, once, *nth in armed:
            if name != point or passed[name] < int(*nth or (1,)):
                continue
            try:
                file = os.open(once, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                continue
            os.write(file, f"{name} {time.monotonic()} {os.getpid()}\n".encode())
            os.close(file)
            os.kill(os.getpid(), SIGNALS[action])

    if armed:
        install_hook(strike)
