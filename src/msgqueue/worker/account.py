"""What a child has noted in its journal, as its supervisor reads it."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from msgqueue.jobs import Outcome
from msgqueue.store.messages import Entry
from msgqueue.worker.journal import (
    CALLS,
    COUNTS,
    DRAIN_AT,
    END,
    END_AT,
    ENDED_STATE,
    HELD,
    KINDS,
    LIMIT,
    LISTENING_AT,
    LOOKOUT_AT,
    LOOP,
    LOOP_AT,
    NAMES_AT,
    RUN,
    RUN_AT,
    SLOT_SIZE,
    SLOTS_AT,
    STATES_AT,
    SYNC,
    Journal,
    State,
)

LATEST: Final = 1e11  # Unix seconds that are a time: three thousand years on


class Record(NamedTuple):
    """One slot as the supervisor read it; `deadline` and later mean nothing before the begin."""

    slot: int
    state: State
    order: int
    entry: Entry
    limit: float
    deadline: float
    begun: float
    started: float
    lane: int

    @property
    def member(self) -> str:
        """The run's name in answers of Redis."""
        return self.entry.member


class Loop(NamedTuple):
    """Who has the event loop of the async lane: `slot` is NO_SLOT for nobody.

    `since`: clock time at which that last changed, or the loop last showed that it goes round.
    """

    slot: int
    since: float


class Account(NamedTuple):
    """All that a child noted, in the order in which it was handed its jobs."""

    sent: int
    answered: int
    successful: int
    failed: int
    working_time: float
    loop: Loop
    draining: bool
    records: tuple[Record, ...]

    def of(self, *states: State) -> list[Record]:
        """The records in one of these states."""
        return [record for record in self.records if record.state in states]

    @property
    def running(self) -> list[Record]:
        """The records of what runs, whether or not somebody asked to stop it."""
        return self.of(State.RUNNING, State.STOPPING)

    @property
    def sync_run(self) -> Record | None:
        """What the sync lane runs."""
        return next((one for one in self.of(State.RUNNING) if one.lane == SYNC), None)


class JournalReader:
    """The supervisor's side."""

    def __init__(self, journal: Journal) -> None:
        self._map = journal.memory.map
        self._lock, self._slots = journal.lock, journal.slots

    def read(self) -> Account:
        """All that is noted. A living child goes on writing: decide under `locked`.

        A slot that a job wrote over is left out: nobody refreshes its lease, and a sweep finds it.
        """
        states = self._map[STATES_AT : STATES_AT + self._slots]
        found = (self._legible(slot, state) for slot, state in enumerate(states) if state)
        records = sorted(filter(None, found), key=lambda record: record.order)
        sent, answered = CALLS.unpack_from(self._map, 0)
        loop = Loop(*LOOP.unpack_from(self._map, LOOP_AT))
        successful, failed, working_time = COUNTS.unpack_from(self._map, CALLS.size)
        draining = bool(self._map[DRAIN_AT])
        return Account(
            sent, answered, successful, failed, working_time, loop, draining, tuple(records)
        )

    def _legible(self, slot: int, state: int) -> Record | None:
        try:
            record = self._record(slot, state)
        except ValueError:
            return None
        if state != ENDED_STATE:
            return record if _is_time(record.started) else None
        ended, kind, value_at, size = END.unpack_from(
            self._map, SLOTS_AT + slot * SLOT_SIZE + END_AT
        )
        sound = kind < len(KINDS) and value_at + size <= SLOTS_AT
        return record if sound and _is_time(record.started) and _is_time(ended) else None

    def _record(self, slot: int, state: int) -> Record:
        at = SLOTS_AT + slot * SLOT_SIZE
        limit, order, queue, job_id, execution = HELD.unpack_from(self._map, at)
        deadline, begun, started, lane = RUN.unpack_from(self._map, at + RUN_AT)
        names = self._map[at + NAMES_AT : at + NAMES_AT + queue + job_id + execution]
        return Record(
            slot,
            State(state),
            order,
            Entry(
                names[:queue].decode(),
                names[queue : queue + job_id].decode(),
                names[queue + job_id :].decode(),
            ),
            limit,
            deadline,
            begun,
            started,
            lane,
        )

    def outcome(self, record: Record) -> Outcome:
        """The outcome of an ended job."""
        at = SLOTS_AT + record.slot * SLOT_SIZE + END_AT
        ended, kind, value_at, size = END.unpack_from(self._map, at)
        return Outcome(
            *record.entry,
            KINDS[kind],
            self._map[value_at : value_at + size],
            record.started,
            ended,
        )

    def drain(self) -> None:
        """Ask the child to begin nothing more."""
        self._map[DRAIN_AT] = 1

    @property
    def on_lookout(self) -> bool:
        """Whether the child is to hear of work from Redis itself."""
        return bool(self._map[LOOKOUT_AT])

    @property
    def listening(self) -> bool:
        """Whether it does, right now."""
        return bool(self._map[LISTENING_AT])

    def post(self, lookout: bool) -> None:
        """Put the child on lookout, or off it; it heeds that when it rests next."""
        self._map[LOOKOUT_AT] = lookout

    def lock(self, timeout: float = 0.05) -> bool:
        """Keep the child from beginning anything; False when it could not be had in time."""
        return self._lock.acquire(timeout=timeout)

    def unlock(self) -> None:
        """Let the child go on."""
        self._lock.release()

    def move(self, records: Iterable[Record], state: State, to: State) -> list[Record]:
        """Change those that still are the same job in `state`; none without the lock."""
        if not self.lock():
            return []
        try:
            return [record for record in records if self._move(record, state, to)]
        finally:
            self.unlock()

    def _move(self, record: Record, state: State, to: State) -> bool:
        if self._map[STATES_AT + record.slot] != state:
            return False
        if self._record(record.slot, state).order != record.order:
            return False
        self._map[STATES_AT + record.slot] = to
        return True

    def extend(self, records: Iterable[Record], limit: float) -> None:
        """A beat confirmed these: the held ones among them may begin until `limit`."""
        for record in records:
            at = SLOTS_AT + record.slot * SLOT_SIZE
            if self._record(record.slot, record.state).order == record.order:
                LIMIT.pack_into(self._map, at, limit)


def _is_time(seconds: float) -> bool:
    return 0 <= seconds < LATEST
