"""What rq's `get_current_job` answers inside of our runs."""

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

import rq.job

from msgqueue.job import RUNNING


class _Current:
    """Stands where rq keeps the running job; a job of ours is read when it is asked for."""

    def __init__(self, fetch: Callable[[str], Any]) -> None:
        self._fetch = fetch
        self._pushed: ContextVar[Any] = ContextVar("msgqueue.rq_pushed", default=None)
        self._read: ContextVar[tuple[object, Any]] = ContextVar("msgqueue.rq_read")

    @property
    def top(self) -> Any:
        """The running job, as rq 2 asks for it."""
        if pushed := self._pushed.get():
            return pushed
        running = RUNNING.get()
        if running is None:
            return None
        known = self._read.get(None)
        if known is None or known[0] is not running:
            known = running, self._fetch(running.id)
            self._read.set(known)
        return known[1]

    def push(self, job: Any) -> None:
        """rq 2's own `perform` begins."""
        self._pushed.set(job)

    def pop(self) -> Any:
        """rq 2's own `perform` ends."""
        job = self._pushed.get()
        self._pushed.set(None)
        return job

    def get(self) -> Any:
        """The running job, as rq 3 asks for it."""
        return self.top

    def set(self, job: Any) -> Token[Any]:
        """rq 3's own `perform` begins."""
        return self._pushed.set(job)

    def reset(self, token: Token[Any]) -> None:
        """rq 3's own `perform` ends."""
        self._pushed.reset(token)


def show_current_job(fetch: Callable[[str], Any]) -> None:
    """Make `get_current_job()` work in this process, in coroutines too.

    Args:
        fetch: reads a job by its id.
    """
    name = "_current_job" if hasattr(rq.job, "_current_job") else "_job_stack"
    setattr(rq.job, name, _Current(fetch))
