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
import importlib, json, sys
from tests.faults.trial import supervise
importlib.import_module(sys.argv[2])
supervise({}, json.loads(sys.argv[1]))
"""


def finds(*paths: Path) -> dict[str, str]:
    """What has a program find modules there first, and then ours."""
    return {"PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT / "src", ROOT)))}


class Launched:
    """What `tests.worker.crew.Process` is, but started anew and not forked.

    Args:
        env: added to ours.
        options: of `Supervisor`.
        module: imported first; may add tasks to those of `app`.
        paths: where it finds modules first.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        options: dict[str, Any],
        *paths: Path,
        module: str = "tests.faults.app",
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CODE, json.dumps(options), module],
            env={**os.environ, **env, **finds(*paths)},
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
