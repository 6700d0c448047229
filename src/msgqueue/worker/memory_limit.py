"""Keeps a child within its memory: a new one takes its place, and a job that goes on is ended."""

import logging
from collections.abc import Callable
from typing import Final

from msgqueue.observe.logs import event
from msgqueue.worker.account import Account, Record
from msgqueue.worker.journal import NO_SLOT, State
from msgqueue.worker.process import ChildProcess
from msgqueue.worker.resident import resident
from msgqueue.worker.shared import clock

TOLERATED: Final = 0.2  # seconds that jobs may go on in a child that is over its limit
STEP: Final = 0.1  # seconds after which a coroutine's step is long

logger = logging.getLogger(__name__)


class MemoryLimit:
    """Looks at one child after the other.

    Args:
        limit: MiB; None for no limit.
        retire: called with a child that is to begin nothing more.
    """

    def __init__(self, limit: float | None, retire: Callable[[ChildProcess], None]) -> None:
        self._limit, self._retire = limit, retire
        self._over: dict[int, float] = {}  # pid -> clock time at which it was first seen over

    def look(self, child: ChildProcess, account: Account) -> None:
        """Enforce the limit. A child that has run nothing takes what the app takes: it stays."""
        if self._limit is None or not (account.successful + account.failed or account.records):
            return
        taken, now = resident(child.pid), clock()
        if taken <= self._limit:
            self._over.pop(child.pid, None)
        elif now > self._over.setdefault(child.pid, now) + TOLERATED:
            self._end(child, account, taken, now)
        elif not child.retired:
            why = f"it takes {taken:.0f} MiB, more than max_memory={self._limit:g}"
            event(logger, "worker retires", worker=child.lane.worker, why=why)
            self._retire(child)

    def _end(self, child: ChildProcess, account: Account, taken: float, now: float) -> None:
        """End what runs. Who of several is to blame is not known: each counts a death."""
        told = f"the process took {taken:.0f} MiB, more than max_memory={self._limit:g}"
        runs = account.running
        culprit = runs[0] if len(runs) == 1 else _in_step(account, now)
        if culprit is not None:
            child.kill(culprit, "memory", f"MemoryLimit: {told}, and was killed")
        elif runs:
            reason = f"WorkerDied: {told}, while it ran {len(runs)} jobs, and was killed"
            child.kill(runs[0], "death", reason, *runs[1:])

    def forget(self, child: ChildProcess) -> None:
        """The child has ended."""
        self._over.pop(child.pid, None)


def _in_step(account: Account, now: float) -> Record | None:
    """The coroutine that has kept the loop for a while, where no function runs beside it."""
    slot, since = account.loop
    if slot == NO_SLOT or now < since + STEP or account.sync_run is not None:
        return None
    return next((one for one in account.of(State.RUNNING) if one.slot == slot), None)
