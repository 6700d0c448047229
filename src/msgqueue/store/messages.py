"""What the steps tell the scripts, and what they are answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from msgqueue.jobs import Claimed, JobInfo, JobStatus, StoredResult

#: What a script takes.
Arg = str | bytes | int | float


class Lane(NamedTuple):
    """One child, as a sender of one call at a time."""

    id: str  # 12 random hex digits
    worker: str  # its rq worker name; a later lane may bear it when this one is closed


class Entry(NamedTuple):
    """One claimed job in the place of claimed jobs."""

    queue: str
    id: str
    execution: str

    @property
    def member(self) -> str:
        """Its name in the place of claimed jobs, by which answers speak of it."""
        return f"{self.id}:{self.execution}"


class Worker(NamedTuple):
    """What rq shows of a worker, and by which rules its jobs end.

    `max_deliveries`: for jobs that plain rq enqueued; None for the default. `result_ttl`: seconds,
    for jobs that say nothing of it; None for the default. `lets_end`: whether a run that rq
    cancels or deletes goes on to its end.
    """

    queues: tuple[str, ...]
    pid: int
    hostname: str
    ip_address: str
    version: str
    python_version: str
    birth: str
    max_deliveries: int | None = None
    result_ttl: int | None = None
    lets_end: bool = False

    def fields(self) -> list[Arg]:
        """The hash's fields, flat."""
        shown: list[Arg] = ["queues", ",".join(self.queues)]
        for name in ("birth", "pid", "hostname", "ip_address", "version", "python_version"):
            shown += (name, getattr(self, name))
        rules = (
            ("mq_max", self.max_deliveries),
            ("mq_result_ttl", self.result_ttl),
            ("mq_lets_end", 1 if self.lets_end else None),
        )
        for name, rule in rules:
            if rule is not None:
                shown += (name, rule)
        return shown


class Worked(NamedTuple):
    """What a report and claim was answered.

    `state`: "" done; "missing" the worker is not registered: call again after the next beat; "dead"
    the lane is closed: end; "old" a later call was answered before.
    """

    state: Literal["", "missing", "dead", "old"]
    refused: tuple[str, ...]  # members that were taken over meanwhile
    claimed: tuple[Claimed, ...]


#: Why a run ended that its process could not report.
Cause = Literal["death", "timeout", "memory", "stop", "drain"]


class Ended(NamedTuple):
    """A run that its process could not report, judged by its supervisor."""

    queue: str
    id: str
    execution: str
    cause: Cause
    reason: str
    started: float
    ended: float


class Settled(NamedTuple):
    """What became of a dead child's jobs."""

    requeued: int
    failed: int
    refused: tuple[str, ...]


class Beat(NamedTuple):
    """One child in its supervisor's beat.

    `seq`: the last answered call of its lane. `running`: the members that have run for over a
    second. `current`: the id of the job that runs, "" for none.
    """

    lane: Lane
    worker: Worker
    seq: int
    entries: Sequence[Entry]
    running: frozenset[str] = frozenset()
    current: str = ""
    succeeded: int = 0
    failed: int = 0
    working_time: float = 0.0


class Beaten(NamedTuple):
    """What a beat says of one child, in members (`Entry.member`)."""

    closed: bool  # it was declared dead: end it
    lost: frozenset[str]
    stop: frozenset[str]
    dropped: frozenset[str] = frozenset()  # those of the lost that rq cancelled or deleted
    replaced: bool = False  # its worker key was of another type


class Swept(NamedTuple):
    """What a sweep did. `state`: "" done; "waiting" for the lock's age; "not leader".

    `rest`: seconds in which nothing more can come to be swept.
    """

    state: Literal["", "waiting", "not leader"]
    requeued: int
    failed: int
    gone: int
    rest: float


class Leftovers(NamedTuple):
    """What became of what plain rq workers left behind; of `dropped` only the traces were left."""

    requeued: int
    failed: int
    dropped: int


class Promoted(NamedTuple):
    """What became of due jobs. `busy`: a plain rq scheduler minds this queue.

    `rest`: seconds until the next one is due, by Redis' clock; None if none waits for its time.
    """

    busy: bool
    moved: int
    rest: float | None


class Cancelled(NamedTuple):
    """What a cancel met: `status` is None for an unknown job; `entry` is the run asked to stop."""

    status: JobStatus | None
    stopping: bool = False


class Requeued(NamedTuple):
    """What a retry met: `status` is None for an unknown job; `done` is whether it was queued."""

    status: JobStatus | None
    done: bool


class Row(NamedTuple):
    """One job of a page, with what a further page needs to begin behind it."""

    job: JobInfo
    anchor: tuple[str, str]  # score, id


class Rows(NamedTuple):
    """Part of one place. `last` is where a further page begins; None at the end."""

    rows: tuple[Row, ...]
    last: tuple[str, str] | None


class Stored(NamedTuple):
    """One job as read: its info and the newest entry of its result stream."""

    info: JobInfo
    result: StoredResult | None


class WorkerInfo(NamedTuple):
    """A registered worker, ours or plain rq's."""

    name: str
    fields: dict[str, str]


#: The id before all entries of a result stream.
NO_ENTRY = "0-0"


class Standing(NamedTuple):
    """How a job stands: its status, None where there is no such job, and its newest result."""

    status: JobStatus | None
    result: StoredResult | None
    last: str  # id of the newest entry of its result stream
    repeats: bool = False  # rq runs it again after a success

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.status is None or self.status.final


@dataclass(frozen=True, slots=True)
class Damage:
    """One job that was set aside."""

    id: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Damages:
    """The newest of them, and how many there are in all."""

    total: int
    newest: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class Remains:
    """One of them whole: the type of its key, and its raw bytes; a hash's names and values flat."""

    damage: Damage
    type: str
    raw: tuple[bytes, ...]


#: What came of putting back a job that was set aside.
Restored = Literal["queued", "missing", "replaced", "unfit"]
