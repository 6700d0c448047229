"""Watches what children run: time limits, overruns and stops are enforced from outside."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from msgqueue.store.steps import Entry
from msgqueue.worker.exchange import BEGIN_WITHIN
from msgqueue.worker.journal import ASYNC, Record, State
from msgqueue.worker.limits import timeout_text
from msgqueue.worker.process import ChildProcess, sync_run
from msgqueue.worker.shared import clock

EVERY: Final = 0.05  # seconds, while a child has something to do
OVERRUN: Final = 0.1  # seconds that a job may run before what is held behind it is given back
HELD: Final = 0.5  # seconds that a job may be held at all
GRACE: Final = 0.6  # seconds after its deadline that a job may take to end by itself
STOPPED_WITHIN: Final = 0.4  # seconds that a cancelled coroutine may take


Relieve = Callable[[ChildProcess, Sequence[Entry], Sequence[Record]], None]


class Watch:
    """Looks at one child after the other.

    Args:
        relieve: called with a child, the entries that were taken from it, and what it has ended
            and cannot report for now.
    """

    def __init__(self, relieve: Relieve) -> None:
        self._relieve = relieve
        self._stopping: dict[str, float] = {}

    def look(self, child: ChildProcess) -> bool:
        """Enforce what is due; whether the child has anything to do."""
        account, now = child.account(), clock()
        for record in account.of(State.RUNNING, State.STOPPING):
            self._end_late(child, record, now)
        run = sync_run(account)
        overrun = run is not None and now > run.begun + OVERRUN
        if overrun:  # nothing waits behind a long job: neither what is held nor what has ended
            self._relieve(child, child.revoke(), child.unreported(OVERRUN))
        held = account.of(State.HELD)
        if held and now > held[0].limit - BEGIN_WITHIN + HELD:
            self._relieve(child, child.revoke(), ())
        return bool(account.records)

    def stop(self, child: ChildProcess, member: str) -> bool:
        """End a run, wherever it stands; False when the child does not have it."""
        record = next((r for r in child.account().records if r.member == member), None)
        if record is None or member in self._stopping:
            return record is not None
        if record.state is State.HELD:
            self._relieve(child, child.revoke((member,)), ())
        elif record.state is State.RUNNING and record.lane == ASYNC:
            self._stopping[member] = clock() + STOPPED_WITHIN
            child.stop_coroutine(record)
        elif record.state is State.RUNNING:
            child.kill(record, "stop", _stopped(record))
        return True

    def _end_late(self, child: ChildProcess, record: Record, now: float) -> None:
        if now > record.deadline + GRACE:
            limit = record.deadline - record.begun
            child.kill(record, "timeout", f"JobTimeout: {timeout_text(limit)}, and was killed")
        elif record.state is State.STOPPING:
            killed_at = self._stopping.setdefault(record.member, now + STOPPED_WITHIN)
            if now > killed_at:
                child.kill(record, "stop", _stopped(record))

    def forget(self, child: ChildProcess) -> None:
        """The child has ended."""
        for record in child.account().records:
            self._stopping.pop(record.member, None)


def _stopped(record: Record) -> str:
    return f"JobStopped: the job was stopped {time.time() - record.started:.1f} s after it began"
