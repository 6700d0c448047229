"""The frozen types that a job is described with on its way through msgqueue."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")

LONGEST_PAUSE = 31_536_000  # seconds: a year
MOST_DOUBLINGS = 60  # more overflow the smallest of pauses


class JobStatus(StrEnum):
    """Where a job is, in rq's words."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"  # waits for its time
    DEFERRED = "deferred"  # waits for other jobs
    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"  # ended by a stop while it ran; lies among the failed
    CANCELED = "canceled"  # ended by a cancel before it began

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self in FINAL


FINAL = frozenset({JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED})


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after which pauses, a job that raised is run again.

    Args:
        max: repeats after the first run; 3 means four runs at most.
        backoff: seconds before the first repeat, doubled for each further one, up to a year;
            0 repeats at once.
    """

    max: int
    backoff: float = 0.0

    def intervals(self) -> tuple[int, ...]:
        """Seconds before each repeat, rounded up, as rq's `retry_intervals` holds them."""
        if not self.backoff:
            return ()
        doublings = (min(n, MOST_DOUBLINGS) for n in range(self.max))
        return tuple(math.ceil(min(self.backoff * 2**n, LONGEST_PAUSE)) for n in doublings)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a job is enqueued with besides its arguments; None means the default.

    Attributes:
        queue: the queue's name; default: the first of the TaskQueue's.
        job_id: 1-128 of letters, digits, `_`, `-`; default: a random one. Enqueueing an
            id that is alive is answered with the living job.
        delay: seconds until it may start.
        at: aware datetime before which it does not start. Excludes `delay`.
        timeout: seconds a run may take; -1 is no limit; default 180.
        retry: what happens when it raises; default: it fails.
        result_ttl: seconds the result is kept; 0 deletes the job at once, -1 keeps it for ever;
            default 500.
        failure_ttl: seconds a failed or cancelled job is kept, 60 at least, -1 for ever;
            default one year.
        unique: whether a final job of the same id, too, is left as it is.
        front: whether it goes to the front of its queue.
        meta: a JSON object that lists and dashboards show.
        description: one line for lists and dashboards; default: the call's text.
        max_deliveries: how often a job may be started whose process dies; default 3; 1 means
            it fails at the first death.
    """

    queue: str | None = None
    job_id: str | None = None
    delay: float | None = None
    at: datetime | None = None
    timeout: float | None = None
    retry: Retry | None = None
    result_ttl: int | None = None
    failure_ttl: int | None = None
    unique: bool = False
    front: bool = False
    meta: Mapping[str, Any] | None = None
    description: str | None = None
    max_deliveries: int | None = None


class JobSpec(NamedTuple):
    """One job, ready to be enqueued: every default filled in, every argument encoded.

    Attributes:
        id: the job's id.
        data: rq's serialized call `(path, None, args, kwargs)`, not compressed.
        created_at: when the call was made.
        task: the registered task's name.
        queue: the queue's name.
        description, timeout, result_ttl, failure_ttl, retry, meta, max_deliveries: see JobOptions;
            `meta` already serialized, None for none.
        front, unique: see JobOptions.
        due: Unix time (seconds) before which the job does not start; None for at once.
    """

    id: str
    data: bytes
    description: str
    created_at: datetime
    task: str
    queue: str
    timeout: int
    result_ttl: int | None = None
    failure_ttl: int | None = None
    retry: Retry | None = None
    meta: bytes | None = None
    max_deliveries: int | None = None
    front: bool = False
    unique: bool = False
    due: float | None = None


class Enqueued(NamedTuple):
    """What became of one job that was enqueued."""

    id: str
    created: bool  # False: a job of this id exists and was left as it is
    status: JobStatus


@dataclass(frozen=True, slots=True)
class JobError:
    """How a job failed, without its traceback."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as lists show it: what is cheap to read, never its arguments or result.

    Attributes:
        id, queue, status, description: as rq keeps them.
        task: the task's name; a job of plain rq shows its function's dotted path.
        created_at, enqueued_at, started_at, ended_at: aware, UTC; None where it has not happened.
        due: when a scheduled job becomes due, else None.
        worker: name of the worker that runs or ran it, else None.
        attempt: which run this is or was, from 1; 0 before the first.
        error: for a failed or stopped job, when it was asked for; ParentGone for one that was
            cancelled since a job for which it waited is gone; else None.
        meta: the job's own notes, {} where they are not JSON.
    """

    id: str
    task: str
    queue: str
    status: JobStatus
    description: str = ""
    created_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due: datetime | None = None
    worker: str | None = None
    attempt: int = 0
    error: JobError | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: at most `limit` of them.
        next_cursor: pass it back for the next page; None at the end.
    """

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The newest entry of a job's result stream.

    Attributes:
        kind: what it records.
        value: the serialized return value, b"" where there is none.
        traceback: the failure's text, "" for a success.
    """

    kind: Literal["ok", "failed", "stopped", "retried"]
    value: bytes = b""
    traceback: str = ""


Kind = Literal["ok", "none", "error", "retry", "repeat", "declined"]


class Claimed(NamedTuple):
    """A job that a worker has taken under a lease, with the fields that running it needs.

    `rq_only` tells that its hash holds what rq alone understands (callbacks, webhooks, repeats,
    rate limits): it runs through `worker/rq_path.py`.
    """

    queue: str
    id: str
    execution: str  # "<lane>.<seq>": the fence of every later step of this run
    data: bytes  # rq's serialized call, decompressed by `codec.unpack_call`
    timeout: int  # seconds; -1 for none; the default filled in
    attempt: int  # which run this is, from 1; counts repeats and deaths
    rq_only: bool
    declined: int = 0  # by how many workers this run was, whose code could not carry it out


class Outcome(NamedTuple):
    """How one execution ended, as the child's journal and the report to Redis carry it.

    Attributes:
        queue, id, execution: which run.
        kind: ok; none (ok, and no result is kept); repeat (ok, of a job with rq's Repeat: it runs
            again); error (the task raised, or broke a limit: Retry applies); retry (the task
            returned rq's Retry: run again without an error); declined (this worker's code does not
            know the task, or its function takes other arguments: nothing of it ran, others are
            offered the job).
        value: ok: the serialized return value, b"" for None. error, declined: the traceback text in
            UTF-8. retry: b"<max>:<interval seconds>".
        started, ended: Unix seconds.
    """

    queue: str
    id: str
    execution: str
    kind: Kind
    value: bytes
    started: float
    ended: float
