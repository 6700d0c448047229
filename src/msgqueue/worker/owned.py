"""A supervisor as a process of its own, which ends with the process that started it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from msgqueue.queue import TaskQueue
from msgqueue.worker.reference import command_line_environment, reference

AFTERWARDS: Final = 5.0  # seconds after the grace time until it is killed


class OwnedSupervisor:
    """A worker for whoever has another main loop: a web application's lifespan, a script.

    It watches its standard input, whose other end only this process holds: when this process
    ends, however that happens, it drains and ends too.

    Args:
        queue: whose jobs; a global of a module that a fresh interpreter can import.
        options: keyword arguments of Supervisor, in JSON's own types.
        grace: seconds that running jobs get when it is ended.
    """

    def __init__(self, queue: TaskQueue, options: Mapping[str, Any], grace: float) -> None:
        command = [sys.executable, "-m", "msgqueue.worker", reference(queue), json.dumps(options)]
        self._grace = grace
        self._process = subprocess.Popen(
            command, env=command_line_environment(), stdin=subprocess.PIPE, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def end(self) -> None:
        """Have it drain, and wait until it has ended."""
        self._process.terminate()
        try:
            self._process.wait(self._grace + AFTERWARDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
