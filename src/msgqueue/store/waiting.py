"""Waiting for the end of jobs: a blocking read of their result streams.

Every end of a run writes an entry there, plain rq's included. What writes none (a cancel, an
expiry, the end of a job that keeps no result) is found by looking at the status each second.
"""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import redis

from msgqueue.connection import Source
from msgqueue.errors import DamagedJob
from msgqueue.jobs import JobStatus, StoredResult
from msgqueue.store import keys
from msgqueue.store.codec import parse_status, stored_result
from msgqueue.store.run import Store
from msgqueue.store.script import script
from msgqueue.store.steps import Step

LOOK_AGAIN = 1.0  # seconds
LOOK_AT_NEW = 0.1  # seconds before the first look at a job that was only just enqueued
PAUSE = 0.05  # seconds, after a failure
FIRST = "0-0"


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
        return Standing(word, StoredResult("ok") if none else None, FIRST, bool(repeats))
    last, fields = entry
    try:
        return Standing(word, stored_result(fields), last.decode(), bool(repeats))
    except ValueError:  # what cannot be read is as good as gone
        return Standing(word, None, last.decode(), bool(repeats))


def wait(
    source: Source, store: Store, job_id: str, timeout: float | None, *, is_new: bool = False
) -> Standing:
    """How a job ended, once it has.

    One that `is_new` has never run: the first entry of its result stream tells its end, and there
    is nothing to look at before that.

    Raises:
        TimeoutError: it has not within `timeout` seconds.
        DamagedJob: its status cannot be read.
    """
    until = None if timeout is None else time.monotonic() + timeout
    first = LOOK_AT_NEW if timeout is None else min(LOOK_AT_NEW, timeout)
    if is_new and first > 0 and (success := _block(source, job_id, FIRST, first)) is not None:
        return success
    while True:
        (standing,) = store.run(standings((job_id,)))
        if isinstance(standing, DamagedJob):
            raise standing
        if standing.ended:
            return standing
        left = LOOK_AGAIN if until is None else min(LOOK_AGAIN, until - time.monotonic())
        if left <= 0:
            raise TimeoutError(f"job {job_id} has not ended within {timeout} s")
        success = _block(source, job_id, standing.last, left)
        if success is not None and not standing.repeats:
            return success


def _block(source: Source, job_id: str, last: str, seconds: float) -> Standing | None:
    """Return when the job's stream has an entry behind `last`, or the time is over.

    The success that the entry tells of; None where a look has to say what happened.
    """
    try:
        milliseconds = max(1, int(seconds * 1000))  # 0 would block for ever
        news: Any = source.client().xread({keys.results(job_id): last}, block=milliseconds)
    except redis.RedisError:
        time.sleep(min(seconds, PAUSE))  # the next step says what is the matter
        return None
    return _success(*news[0][1][-1]) if news else None


def _success(entry_id: bytes, fields: dict[bytes, bytes]) -> Standing | None:
    """What an entry says of a run that succeeded: it was written together with the status."""
    try:
        result = stored_result([part for field in fields.items() for part in field])
    except ValueError:
        return None
    return Standing(JobStatus.FINISHED, result, entry_id.decode()) if result.kind == "ok" else None
