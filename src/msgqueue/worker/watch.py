"""Watches what children run: time limits, overruns and stops are enforced from outside."""

from collections.abc import Callable, Sequence
from typing import Final

from msgqueue.store.messages import Entry
from msgqueue.worker.account import Account, Record
from msgqueue.worker.exchange import BEGIN_WITHIN
from msgqueue.worker.journal import ASYNC, NO_SLOT, State
from msgqueue.worker.limits import timeout_text
from msgqueue.worker.memory_limit import MemoryLimit
from msgqueue.worker.process import ChildProcess
from msgqueue.worker.shared import NEVER, clock

EVERY: Final = 0.05  # seconds, while a child has something to do
OVERRUN: Final = 0.1  # seconds that a job may run before what is held behind it is given back
HELD: Final = 0.5  # seconds that a job may be held at all
GRACE: Final = 0.6  # seconds after its deadline that a job may take to end by itself
LEFT: Final = 5.0  # seconds that threads which jobs left behind may go on in a child that is done
STOPPED_WITHIN: Final = 0.4  # seconds that a cancelled coroutine may take
HOLDS: Final = 0.3  # seconds without a sign of life of the event loop, or of one step in it
HELD_UP: Final = (
    "WorkerDied: the job kept the event loop, or the interpreter, so that another job's time limit"
    " or stop could not be kept, and was killed"
)
STOPPED: Final = "JobStopped: the job was stopped, and its process killed"

Relieve = Callable[[ChildProcess, Sequence[Entry], Sequence[Record]], None]


class Watch:
    """Looks at one child after the other.

    Args:
        relieve: called with a child, the entries that were taken from it, and what it has ended
            and cannot report for now.
        max_memory: MiB that a child may take; None for any number.
    """

    def __init__(self, relieve: Relieve, max_memory: float | None) -> None:
        self._relieve = relieve
        self._memory = MemoryLimit(max_memory, self.retire)
        self._stopping: dict[str, float] = {}
        self._done_since: dict[int, float] = {}
        self._rung: dict[int, str] = {}  # pid -> the long run for which it was rung

    def look(self, child: ChildProcess) -> bool:
        """Enforce what is due; whether the child has anything to do."""
        account, now = child.jobs.account(), clock()
        for record in account.running:
            self._end_late(child, account, record, now)
        run = account.sync_run
        if run is not None and now > run.begun + OVERRUN:
            # Nothing waits behind a long job: neither what is held nor what has ended.
            self._relieve(child, child.jobs.revoke(), child.jobs.unreported(OVERRUN))
            self._ring(child, run)
        held = account.of(State.HELD)
        if held and now > held[0].limit - BEGIN_WITHIN + HELD:
            self._relieve(child, child.jobs.revoke(), ())
        self._memory.look(child, account)
        self._end_leftover(child, account, now)
        if child.bell.deaf and not account.running:
            child.end()  # a job closed its pipes: nobody could wake it
        return bool(account.records)

    def retire(self, child: ChildProcess) -> None:
        """Have it begin nothing more, give back what it holds, and end."""
        self._relieve(child, child.drain(), ())

    def _ring(self, child: ChildProcess, run: Record) -> None:
        """Once a long run: the child's async lane may have room, and has not been asked yet."""
        if self._rung.get(child.pid) != run.member:
            self._rung[child.pid] = run.member
            child.wake()

    def _end_leftover(self, child: ChildProcess, account: Account, now: float) -> None:
        """End a child that is done but for what its jobs left behind, such as threads."""
        if not child.retired or account.records:
            self._done_since.pop(child.pid, None)
        elif now > self._done_since.setdefault(child.pid, now) + LEFT:
            child.end()

    def stop(self, child: ChildProcess, member: str) -> bool:
        """End a run, wherever it stands; False when the child does not have it."""
        record = next((r for r in child.jobs.account().records if r.member == member), None)
        if record is None or member in self._stopping:
            return record is not None
        if record.state is State.HELD:
            self._relieve(child, child.jobs.revoke((member,)), ())
        elif record.state is State.RUNNING and record.lane == ASYNC:
            self._stopping[member] = clock() + STOPPED_WITHIN
            child.jobs.stop_coroutine(record)
        elif record.state is State.RUNNING:
            child.kill(record, "stop", STOPPED)
        return True

    def _end_late(self, child: ChildProcess, account: Account, record: Record, now: float) -> None:
        if not self._is_overdue(record, now):
            return
        holder = _holder(account, record, now)
        if holder is not None and not self._is_overdue(holder, now):
            child.kill(holder, "death", HELD_UP)  # the one that is overdue goes back, uncounted
        else:
            self._end(child, holder or record, now)

    def _is_overdue(self, record: Record, now: float) -> bool:
        if record.state is State.STOPPING:
            self._stopping.setdefault(record.member, now + STOPPED_WITHIN)
        killed_at = min(record.deadline + GRACE, self._stopping.get(record.member, NEVER))
        return now > killed_at

    def _end(self, child: ChildProcess, record: Record, now: float) -> None:
        if now > record.deadline + GRACE:
            limit = record.deadline - record.begun
            child.kill(record, "timeout", f"JobTimeout: {timeout_text(limit)}, and was killed")
        else:
            child.kill(record, "stop", STOPPED)

    def forget(self, child: ChildProcess) -> None:
        """The child has ended."""
        self._memory.forget(child)
        self._done_since.pop(child.pid, None)
        self._rung.pop(child.pid, None)
        for record in child.jobs.account().records:
            self._stopping.pop(record.member, None)


def _holder(account: Account, record: Record, now: float) -> Record | None:
    """Who keeps a coroutine from being cancelled: another one, or a function that lets none in."""
    slot, since = account.loop
    if record.lane != ASYNC or now < since + HOLDS:
        return None
    if slot == NO_SLOT:
        return account.sync_run
    return next((one for one in account.running if one.slot == slot), None)
