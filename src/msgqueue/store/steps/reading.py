"""Steps that change nothing: what lies in Redis, and whether it takes writes."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgqueue.errors import DamagedJob
from msgqueue.jobs import JobError, JobStatus, StoredResult
from msgqueue.store import keys
from msgqueue.store.codec import (
    INFO_FIELDS,
    error_of,
    job_info,
    parse_status,
    parse_time,
    stored_result,
    text,
)
from msgqueue.store.messages import NO_ENTRY, Arg, Row, Rows, Standing, Stored, WorkerInfo
from msgqueue.store.script import script
from msgqueue.store.steps.step import Step

#: The place in which jobs of a status lie: what stands between rq's prefix and the queue's name.
PLACES = {
    JobStatus.QUEUED: "queue",
    JobStatus.STARTED: "wip",
    JobStatus.SCHEDULED: "scheduled",
    JobStatus.DEFERRED: "deferred",
    JobStatus.FINISHED: "finished",
    JobStatus.FAILED: "failed",
    JobStatus.STOPPED: "failed",
    JobStatus.CANCELED: "canceled",
}

#: The statuses by which `counts` answers, in its order; stopped jobs count as failed.
COUNTED = tuple(status for status in PLACES if status is not JobStatus.STOPPED)


def counts(queues: Sequence[str]) -> Step[dict[str, dict[JobStatus, int]]]:
    """How many jobs lie in each place of each queue; stopped ones count as failed."""

    def decode(raw: list[list[int]]) -> dict[str, dict[JobStatus, int]]:
        return {q: dict(zip(COUNTED, row, strict=True)) for q, row in zip(queues, raw, strict=True)}

    return Step(script("counts"), (), queues, decode)


def queues() -> Step[tuple[str, ...]]:
    """The names of all queues that rq or msgqueue ever used, sorted."""

    def decode(raw: list[bytes]) -> tuple[str, ...]:
        return tuple(sorted(text(key).removeprefix(keys.queue("")) for key in raw))

    return Step(script("queues"), (), (), decode)


def waiting(queues: Sequence[str]) -> Step[dict[str, int]]:
    """How many ids wait in each queue to be claimed: none while `rq suspend` holds."""
    return Step(script("waiting"), (), queues, lambda raw: dict(zip(queues, raw, strict=True)))


def oldest(queues: Sequence[str]) -> Step[float]:
    """For how many seconds the job that waits longest at the head of these queues has waited."""

    def decode(raw: list[bytes]) -> float:
        enqueued = (parse_time(at) for at in raw[1:])
        return max((float(raw[0]) - at.timestamp() for at in enqueued if at), default=0.0)

    return Step(script("oldest"), (), queues, lambda raw: max(0.0, decode(raw)))


def page(
    queue: str,
    status: JobStatus,
    limit: int,
    anchor: tuple[str, str] = ("", ""),
    offset: int = 0,
) -> Step[Rows]:
    """Part of one place of one queue, newest first; a job that cannot be read is left out.

    It begins behind `anchor`; where that is empty, `offset` rows are skipped.
    """
    failed = PLACES[status] == "failed"
    args: list[Arg] = [PLACES[status], queue, *anchor, offset, limit, int(failed), *INFO_FIELDS]

    def decode(raw: list[Any]) -> Rows:
        last = (text(raw[-1][1]), text(raw[-1][0])) if len(raw) == limit else None
        return Rows(tuple(row for row in map(_row, raw) if row), last)

    return Step(script("page"), (), args, decode)


def _row(raw: list[Any]) -> Row | None:
    job_id, score, values, entry = raw
    name = text(job_id)
    try:
        return Row(job_info(name, values, _error(_result(entry))), (text(score), name))
    except DamagedJob:
        return None


def read(job_id: str) -> Step[Stored | None]:
    """One job and its newest result; None if there is no such job.

    Raises, when its answer is read:
        DamagedJob: its hash or its result cannot be read.
    """

    def decode(raw: list[Any] | None) -> Stored | None:
        if not raw:
            return None
        values, entry = raw
        try:
            result = stored_result(entry) if entry else None
        except ValueError as error:
            raise DamagedJob(job_id, str(error)) from error
        return Stored(job_info(job_id, values, _error(result)), result)

    return Step(script("read"), (), (job_id, *INFO_FIELDS), decode)


def results(job_ids: Sequence[str]) -> Step[tuple[StoredResult | None, ...]]:
    """The newest result of each job; None where there is none, or none that can be read."""
    return Step(script("results"), (), job_ids, lambda raw: tuple(map(_result, raw)))


def _result(entry: list[bytes] | None) -> StoredResult | None:
    try:
        return stored_result(entry) if entry else None
    except ValueError:
        return None


def _error(result: StoredResult | None) -> JobError | None:
    if result is None or result.kind == "ok" or not result.traceback:
        return None
    return error_of(result.traceback)


def standings(job_ids: Iterable[str]) -> Step[tuple[Standing | DamagedJob, ...]]:
    """How each of these jobs stands; an error for one that cannot be read."""
    ids = tuple(job_ids)

    def decode(raw: list[Any]) -> tuple[Standing | DamagedJob, ...]:
        return tuple(_standing(job_id, *one) for job_id, one in zip(ids, raw, strict=True))

    return Step(script("standings"), (), ids, decode)


def _standing(
    job_id: str,
    status: bytes | None,
    entry: list[Any] | None,
    none: bytes | None,
    repeats: bytes | None,
) -> Standing | DamagedJob:
    try:
        word = parse_status(job_id, status) if status else None
    except DamagedJob as error:
        return error
    if not entry:
        return Standing(word, StoredResult("ok") if none else None, NO_ENTRY, bool(repeats))
    last, fields = entry
    try:
        return Standing(word, stored_result(fields), last.decode(), bool(repeats))
    except ValueError:  # what cannot be read is as good as gone
        return Standing(word, None, last.decode(), bool(repeats))


def meta(job_id: str) -> Step[bytes | None]:
    """A job's own notes as the serializer wrote them; None where there are none."""
    return Step(script("meta"), (), (job_id,), lambda raw: raw)


def workers() -> Step[tuple[WorkerInfo, ...]]:
    """The registered workers."""

    def decode(raw: list[Any]) -> tuple[WorkerInfo, ...]:
        return tuple(_worker(key, fields) for key, fields in raw)

    return Step(script("workers"), (), (), decode)


def _worker(key: bytes, fields: list[bytes]) -> WorkerInfo:
    name = text(key).removeprefix(keys.worker(""))
    told = {text(k): text(v) for k, v in zip(fields[::2], fields[1::2], strict=True)}
    return WorkerInfo(name, told)


def supervisors() -> Step[int]:
    """How many supervisors have children registered."""
    return Step(script("supervisors"), (), (), int)


def writable() -> Step[bool]:
    """Whether Redis takes writes: fails as any of them would, memory left aside."""
    return Step(script("writable"), (), (), bool)
