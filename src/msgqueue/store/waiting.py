"""Waiting for the end of jobs: a blocking read of their result streams.

Every end of a run writes an entry there, plain rq's included. What writes none (a cancel, an
expiry, the end of a job that keeps no result) is found by looking at the status each second.
"""

import time
from typing import Any

import redis

from msgqueue.connection import Source
from msgqueue.errors import DamagedJob
from msgqueue.jobs import JobStatus
from msgqueue.store import keys, steps
from msgqueue.store.codec import stored_result
from msgqueue.store.messages import NO_ENTRY, Standing
from msgqueue.store.run import Store

LOOK_AGAIN = 1.0  # seconds
LOOK_AT_NEW = 0.1  # seconds before the first look at a job that was only just enqueued
PAUSE = 0.05  # seconds, after a failure


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
    if is_new and first > 0 and (success := _block(source, job_id, NO_ENTRY, first)) is not None:
        return success
    while True:
        (standing,) = store.run(steps.standings((job_id,)))
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
