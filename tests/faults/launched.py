"""Supervisors as programs of their own: under another clock, or with another version of the app."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
CODE: Final = """
import json, sys
from tests.faults.trial import supervise
supervise({}, json.loads(sys.argv[1]))
"""


class Launched:
    """What `tests.worker.crew.Process` is, but started anew and not forked.

    Args:
        env: added to ours.
        options: of `Supervisor`.
        paths: where it finds modules first.
    """

    def __init__(self, env: Mapping[str, str], options: dict[str, Any], *paths: Path) -> None:
        found = os.pathsep.join(map(str, (*paths, ROOT / "src", ROOT)))
        self._process = subprocess.Popen(
            [sys.executable, "-c", CODE, json.dumps(options)],
            env={**os.environ, **env, "PYTHONPATH": found},
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def wait(self, timeout: float) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(timeout)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def children(self) -> list[int]:
        """The pids of its children."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def end(self) -> None:
        """End it, by force if need be."""
        for end in (self._process.terminate, self._process.kill):
            if self.alive:
                end()
                try:
                    self._process.wait(5)
                except subprocess.TimeoutExpired:
                    continue
