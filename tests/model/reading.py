"""What a step asks for, read back from its arguments, and what it was answered, made comparable."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from msgqueue.jobs import Enqueued
from msgqueue.store.messages import (
    Arg,
    Beaten,
    Cancelled,
    Entry,
    Promoted,
    Requeued,
    Settled,
    Swept,
    Worked,
)


class New(NamedTuple):
    """One job of an `enqueue`; `place` is "back", "front", or the time it is due."""

    id: str
    queue: str
    place: str | float
    unique: bool
    created: str
    fields: dict[str, Any]


class Run(NamedTuple):
    """One ended run: `how` is the kind of an outcome, or the cause of an end."""

    queue: str
    id: str
    execution: str
    how: str
    value: Any
    started: str
    ended: str
    started_text: str
    ended_text: str
    dump: bytes = b""

    @property
    def member(self) -> str:
        """Its name in the place of claimed jobs."""
        return f"{self.id}:{self.execution}"


class Pulse(NamedTuple):
    """One child in a `beat`; each entry comes with whether it has run for long."""

    worker: str
    seq: int
    queues: list[str]
    entries: list[tuple[Entry, bool]]


RUN_FIELDS: Final = len(Run._fields)


class Reader:
    """Reads a step's flat arguments from their beginning."""

    def __init__(self, args: Sequence[Arg]) -> None:
        self._args, self._at = list(args), 0

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._args)

    def take(self, count: int) -> list[Any]:
        """The next arguments."""
        self._at += count
        return self._args[self._at - count : self._at]

    def one(self) -> Any:
        """The next argument."""
        return self.take(1)[0]

    def counted(self) -> list[Any]:
        """As many as the next argument says."""
        return self.take(int(self.one()))

    def rest(self) -> list[Any]:
        """All that is left."""
        return self.take(len(self._args) - self._at)

    def runs(self) -> list[Run]:
        """As many runs as the next argument says."""
        return [Run(*self.take(RUN_FIELDS)) for _ in range(int(self.one()))]

    def entries(self) -> list[Entry]:
        """All that is left."""
        entries = []
        while self.more:
            entries.append(Entry(*self.take(3)))
        return entries

    def new(self) -> New:
        """One job of an `enqueue`."""
        job_id, queue, place, unique, created, _timeout, _task, _data, _description = self.take(9)
        flat = self.take(2 * int(self.one()))
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return New(job_id, queue, place, bool(unique), created, fields)

    def all_new(self) -> list[New]:
        """All jobs of an `enqueue`."""
        jobs = []
        while self.more:
            jobs.append(self.new())
        return jobs

    def pulse(self) -> Pulse:
        """One child of a `beat`."""
        worker, _lane, seq, *_ = self.take(8)
        queues = queues_of(self.counted())
        entries = []
        for _ in range(int(self.one())):
            queue, job_id, execution, long = self.take(4)
            entries.append((Entry(queue, job_id, execution), bool(long)))
        return Pulse(worker, int(seq), queues, entries)


def queues_of(flat: Sequence[Any]) -> list[str]:
    """The queues among the fields that a worker registers with."""
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return str(fields["queues"]).split(",")


def essence(answer: Any) -> Any:  # noqa: PLR0911 - one line a kind of answer
    """What of an answer the model foretells."""
    match answer:
        case Worked(state, refused, claimed):
            jobs = [(j.queue, j.id, j.execution, j.attempt, j.declined) for j in claimed]
            return state, sorted(refused), jobs
        case Settled(requeued, failed, refused):
            return requeued, failed, sorted(refused)
        case Swept(state, requeued, failed, gone, _):
            return state, requeued, failed, gone
        case dict():
            return {name: _element(one) for name, one in answer.items()}
        case Cancelled(status, flag) | Requeued(status, flag):
            return status and status.value, flag
        case Entry():
            return answer
        case tuple():
            return [_element(one) for one in answer]
        case _:
            return answer


def _element(one: Any) -> Any:
    match one:
        case Enqueued(job_id, created, status):
            return job_id, created, status.value
        case Promoted(busy, moved, _):
            return busy, moved
        case Beaten(closed, lost, stop):
            return closed, sorted(lost), sorted(stop)
        case _:
            return one
