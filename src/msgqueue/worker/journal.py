"""What a child notes in shared memory about its calls, its jobs and their outcomes.

One slot a job that the child was handed: held, then running, then ended, then free again. The
supervisor reads it to send beats, to watch limits, and to settle a child that died. *Begin* and
*revoke* exclude each other, so a held job is either begun or taken back, never both.

    header | one state byte a slot | outcomes, in two halves | slots (numbers, then names)

The halves: while the report of one is under way, further outcomes go to the other.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from multiprocessing.synchronize import Lock
from struct import Struct
from typing import Final, get_args

from msgqueue.jobs import Claimed, Kind, Outcome
from msgqueue.worker.shared import Context, SharedMemory, clock

SLOTS: Final = 256
SLOT_SIZE: Final = 1024
NAMES_AT: Final = 64  # within a slot; queue, job and execution follow one another
NAMES_ROOM: Final = SLOT_SIZE - NAMES_AT
HALF_SIZE: Final = 1 << 20

CALLS = Struct("<QQ")  # last call sent, last call answered
COUNTS = Struct("<QQd")  # successful, failed, seconds worked
DRAIN_AT: Final = 40
LOOP = Struct("<hd")  # slot of the coroutine that has the event loop, clock time of the last change
LOOP_AT: Final = 41
LOOKOUT_AT: Final = 56
LISTENING_AT: Final = 57
STATES_AT: Final = 64
HALVES_AT: Final = 1 << 15
SLOTS_AT: Final = HALVES_AT + 2 * HALF_SIZE
MOST_SLOTS: Final = HALVES_AT - STATES_AT

LIMIT = Struct("<d")  # clock time after which a held job must not begin
HELD = Struct("<dIHHH")  # limit, order, lengths of the names
RUN = Struct("<dddB")  # clock time of the deadline, of the begin; Unix time of the begin; lane
DEADLINE = Struct("<d")  # the first of them
RUN_AT: Final = 18
END = Struct("<dBII")  # Unix time of the end, kind, where the value is and how long
END_AT: Final = 43

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SYNC: Final = 0
ASYNC: Final = 1


NO_SLOT: Final = -1  # of an outcome of a job that was never held


class State(IntEnum):
    """Where the job of a slot stands."""

    FREE = 0
    HELD = 1
    RUNNING = 2
    ENDED = 3
    REVOKED = 4  # taken back by the supervisor before it began
    REPORTED = 5  # ended, and reported by the supervisor
    STOPPING = 6  # a running coroutine that somebody asked to stop


HELD_STATE: Final = State.HELD.value  # looked up once: each costs 0.1 µs
RUNNING_STATE: Final = State.RUNNING.value
ENDED_STATE: Final = State.ENDED.value
REPORTED_STATE: Final = State.REPORTED.value


class Begin(IntEnum):
    """What came of the wish to begin a job."""

    BEGUN = 0
    LATE = 1  # its lease must be confirmed by a beat first
    REVOKED = 2


class Journal:
    """The shared memory of one child, with the lock that begin and revoke take.

    Args:
        context: how the child is started.
        slots: how many jobs it can have at once, MOST_SLOTS at most.
    """

    def __init__(self, context: Context, slots: int = SLOTS) -> None:
        self.slots = slots
        self.memory = SharedMemory.of(context, SLOTS_AT + slots * SLOT_SIZE)
        self.lock: Lock = context.Lock()

    def close(self) -> None:
        """Give the memory back."""
        self.memory.close()


def names_fit(job: Claimed) -> bool:
    """Whether a slot has room for what names this run."""
    characters = len(job.queue) + len(job.id) + len(job.execution)
    return characters * 4 <= NAMES_ROOM or (
        len(f"{job.queue}{job.id}{job.execution}".encode()) <= NAMES_ROOM
    )


class JournalWriter:
    """The child's side. Threads of one child may use it, but `hold` and `report` one at a time."""

    def __init__(self, journal: Journal) -> None:
        self._map = journal.memory.map
        self._lock = journal.lock
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._free = list(range(journal.slots - 1, -1, -1))
        self._order = 0
        self._half = self._cursor = HALVES_AT

    @property
    def room(self) -> int:
        """How many more jobs can be held."""
        return len(self._free)

    @property
    def draining(self) -> bool:
        """Whether no more jobs are to be begun."""
        return bool(self._map[DRAIN_AT])

    def retire(self) -> None:
        """Begin nothing more, of this child's own accord."""
        self._map[DRAIN_AT] = 1

    @property
    def on_lookout(self) -> bool:
        """Whether the supervisor wants this child to hear of work from Redis itself."""
        return bool(self._map[LOOKOUT_AT])

    def note_listening(self, listening: bool) -> None:
        """Note whether this child hears of work from Redis itself."""
        self._map[LISTENING_AT] = listening

    def note_call(self, sent: int, answered: int) -> None:
        """Note a call: before it is sent, and after its answer was read."""
        CALLS.pack_into(self._map, 0, sent, answered)

    def note_counts(self, successful: int, failed: int, working_time: float) -> None:
        """Note what the worker's counters stand at."""
        COUNTS.pack_into(self._map, CALLS.size, successful, failed, working_time)

    def hold(self, jobs: Sequence[Claimed], limit: float) -> list[int]:
        """Note jobs that were handed out, whose names fit; gives the slot of each."""
        slots = [self._write_names(job, limit) for job in jobs]
        with self._lock:  # orders the writes above before the states, on any processor
            for slot in slots:
                self._map[STATES_AT + slot] = HELD_STATE
        return slots

    def _write_names(self, job: Claimed, limit: float) -> int:
        queue, job_id, execution = job.queue.encode(), job.id.encode(), job.execution.encode()
        names = queue + job_id + execution
        slot = self._free.pop()
        at = SLOTS_AT + slot * SLOT_SIZE
        self._order += 1
        lengths = len(queue), len(job_id), len(execution)
        HELD.pack_into(self._map, at, limit, self._order & 0xFFFFFFFF, *lengths)
        self._map[at + NAMES_AT : at + NAMES_AT + len(names)] = names
        return slot

    def begin(self, slot: int, timeout: float, now: float, started: float, lane: int) -> Begin:
        """Mark a held job as running, unless it was revoked or its lease is in doubt.

        Args:
            slot: the job's.
            timeout: seconds the run may take; -1 for no limit.
            now: `clock()`.
            started: the same moment in Unix seconds.
            lane: SYNC or ASYNC.
        """
        at = SLOTS_AT + slot * SLOT_SIZE
        deadline = now + timeout if timeout > 0 else float("inf")
        self._acquire()  # half the cost of `with`
        try:
            if self._map[STATES_AT + slot] != HELD_STATE:
                return Begin.REVOKED
            if now >= LIMIT.unpack_from(self._map, at)[0]:
                return Begin.LATE
            RUN.pack_into(self._map, at + RUN_AT, deadline, now, started, lane)
            self._map[STATES_AT + slot] = RUNNING_STATE
        finally:
            self._release()
        return Begin.BEGUN

    def extend(self, slot: int, deadline: float) -> None:
        """Move the deadline (clock time) of a running job."""
        DEADLINE.pack_into(self._map, SLOTS_AT + slot * SLOT_SIZE + RUN_AT, deadline)

    def end(self, slot: int, outcome: Outcome) -> bool:
        """Note an outcome. False: it does not fit and has to be reported at once."""
        size = len(outcome.value)
        if self._cursor + size > self._half + HALF_SIZE:
            return False
        self._map[self._cursor : self._cursor + size] = outcome.value
        at = SLOTS_AT + slot * SLOT_SIZE + END_AT
        kind = KINDS.index(outcome.kind)
        END.pack_into(self._map, at, outcome.ended, kind, self._cursor, size)
        self._map[STATES_AT + slot] = ENDED_STATE
        self._cursor += size
        return True

    def reported(self, slot: int) -> bool:
        """Whether the supervisor has reported this outcome already."""
        return slot != NO_SLOT and self._map[STATES_AT + slot] == REPORTED_STATE

    def stopping(self, slot: int) -> bool:
        """Whether somebody asked to stop this running coroutine."""
        return self._map[STATES_AT + slot] == State.STOPPING

    def enter(self, slot: int) -> None:
        """A coroutine has the event loop."""
        LOOP.pack_into(self._map, LOOP_AT, slot, clock())

    def leave(self) -> None:
        """No coroutine has the event loop, which goes round."""
        LOOP.pack_into(self._map, LOOP_AT, NO_SLOT, clock())

    def turn(self) -> None:
        """A report goes out: further outcomes go to the other half."""
        self._half = HALVES_AT + HALF_SIZE if self._half == HALVES_AT else HALVES_AT
        self._cursor = self._half

    def free(self, slots: Iterable[int]) -> None:
        """These jobs are reported, or were revoked: their slots may hold others."""
        for slot in slots:
            if slot != NO_SLOT:
                self._map[STATES_AT + slot] = 0
                self._free.append(slot)
