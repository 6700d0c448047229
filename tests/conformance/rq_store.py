"""rq's Queue and Job with our store under them: their changes of jobs are our steps.

What a step cannot say (a caller's pipeline, dependencies, callbacks, webhooks, repeats, groups,
rate limits, a `ttl`) is left to rq's own code.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final

import rq
from rq.exceptions import DuplicateJobError, InvalidJobOperation
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry

from msgqueue import TaskQueue
from msgqueue.jobs import JobSpec, Retry
from msgqueue.store import steps
from msgqueue.store.codec import time_text
from msgqueue.store.steps import Step

Method = Callable[..., Any]
RQ_ALONE: Final = (  # attributes of a job that our steps have no word for
    "ttl",
    "_success_callback_name",
    "_failure_callback_name",
    "_stopped_callback_name",
    "webhooks",
    "repeats_left",
    "group_id",
    "rate_limit_key",
    "_dependency_ids",
)


@dataclass(frozen=True)
class _Retry(Retry):
    pauses: tuple[int, ...] = ()

    def intervals(self) -> tuple[int, ...]:
        """As rq has them."""
        return self.pauses


class Seam:
    """Calls our steps for rq, and tells of each.

    Args:
        told: called at each step.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told

    @contextmanager
    def patched(self) -> Iterator[None]:
        """Put our steps under rq's classes."""
        places: tuple[tuple[Any, str, Method], ...] = (
            (rq.Queue, "_enqueue_async_job", self._enqueue),
            (rq.Queue, "schedule_job", self._schedule),
            (Job, "cancel", self._cancel),
            (Job, "delete", self._delete),
            (FailedJobRegistry, "requeue", self._requeue),
        )
        originals = [(kind, name, getattr(kind, name)) for kind, name, _ in places]
        for kind, name, ours in places:
            setattr(kind, name, _with(ours, getattr(kind, name)))
        try:
            yield
        finally:
            for kind, name, method in originals:
                setattr(kind, name, method)

    def _run(self, client: Any, step: Step[Any]) -> Any:
        self._told()
        return TaskQueue(connection=client).store.run(step)

    def _enqueue(
        self,
        rqs: Method,
        queue: Any,
        job: Any,
        pipeline: Any = None,
        at_front: bool = False,
        unique: bool = False,
    ) -> Any:
        deferred = job.get_status(refresh=False) == JobStatus.DEFERRED
        if pipeline is not None or deferred or not _can_say(queue, job):
            return rqs(queue, job, pipeline=pipeline, at_front=at_front, unique=unique)
        queue._prepare_for_queue(job)
        return self._create(queue, job, unique, front=at_front)

    def _schedule(
        self, rqs: Method, queue: Any, job: Any, at: datetime, pipeline: Any = None, **more: Any
    ) -> Any:
        unique = more.get("unique", False)
        if pipeline is not None or not _can_say(queue, job) or (unique and not job._id):
            return rqs(queue, job, at, pipeline=pipeline, **more)
        job._status = JobStatus.SCHEDULED
        return self._create(queue, job, unique, due=float(int(at.timestamp())))

    def _create(self, queue: Any, job: Any, unique: bool, **where: Any) -> Any:
        spec = _spec(queue, job, unique)._replace(**where)
        (made,) = self._run(queue.connection, steps.enqueue([spec]))
        if unique and not made.created:
            raise DuplicateJobError(job.id)
        return job

    def _cancel(self, rqs: Method, job: Any, pipeline: Any = None, **more: Any) -> Any:
        if pipeline is not None or any(more.values()) or not _is_stored(job):
            return rqs(job, pipeline=pipeline, **more)
        if job.is_canceled:
            raise InvalidJobOperation(f"Cannot cancel already canceled job: {job.id}")
        said = self._run(job.connection, steps.cancel(job.id, _now()))
        job._status = JobStatus(said.status.value)
        return {}

    def _delete(self, rqs: Method, job: Any, pipeline: Any = None, **more: Any) -> None:
        told = {"remove_from_queue": True, "delete_dependents": False} | more
        plain = told["remove_from_queue"] and not told["delete_dependents"]
        if pipeline is not None or not plain or not _is_stored(job):
            rqs(job, pipeline=pipeline, **more)
        else:
            self._run(job.connection, steps.delete(job.id, _now()))

    def _requeue(self, rqs: Method, registry: Any, job_or_id: Any, at_front: bool = False) -> Any:
        job = job_or_id
        if isinstance(job, str):
            fetch = registry.job_class.fetch
            job = fetch(job_or_id, connection=registry.connection, serializer=registry.serializer)
        if at_front or not _is_stored(job):
            return rqs(registry, job, at_front=at_front)
        said = self._run(job.connection, steps.requeue(job.id, _now()))
        if not said.done:
            raise InvalidJobOperation
        job.refresh()
        return job


def _with(ours: Method, rqs: Method) -> Method:
    @wraps(rqs)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ours(rqs, self, *args, **kwargs)

    return method


def _can_say(queue: Any, job: Any) -> bool:
    keys = queue.redis_queue_namespace_prefix, job.redis_job_namespace_prefix
    plain = keys == (rq.Queue.redis_queue_namespace_prefix, Job.redis_job_namespace_prefix)
    return plain and not any(getattr(job, name, None) for name in RQ_ALONE)


def _is_stored(job: Any) -> bool:
    prefix = job.redis_job_namespace_prefix
    return prefix == Job.redis_job_namespace_prefix and bool(job.connection.exists(job.key))


def _spec(queue: Any, job: Any, unique: bool) -> JobSpec:
    retries = job.retries_left
    return JobSpec(
        id=job.id,
        data=job.data,
        description=job.description or "",
        created_at=job.created_at,
        task=str(job.func_name),
        queue=queue.name,
        timeout=job.timeout or queue._default_timeout,
        result_ttl=job.result_ttl,
        failure_ttl=job.failure_ttl,
        retry=_Retry(retries, pauses=tuple(job.retry_intervals or ())) if retries else None,
        meta=job.serializer.dumps(job.meta) if job.meta else None,
        unique=unique,
    )


def _now() -> str:
    return time_text(datetime.now(UTC))
