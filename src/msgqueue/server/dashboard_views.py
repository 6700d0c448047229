"""What rq-dashboard shows and does, where its own views fail, count wrong or lose jobs."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any

from flask import abort, jsonify
from pydantic_core import to_json

from msgqueue.errors import DamagedJob, JobConflict, JobNotFound
from msgqueue.jobs import JobStatus
from msgqueue.queue import TaskQueue
from msgqueue.server.dashboard_jobs import REGISTRIES, JsonOrText, Reader
from msgqueue.store import steps
from msgqueue.store.codec import now_text

MAX_PAGE = 200
MAX_DIGITS = 10  # of a page's number
WORKER_FIELDS = (
    "pid",
    "last_heartbeat",
    "birth",
    "successful_job_count",
    "failed_job_count",
    "total_working_time",
    "version",
    "python_version",
)
ENDS = {
    "finished": {JobStatus.FINISHED},
    "failed": {JobStatus.FAILED, JobStatus.STOPPED},
    "canceled": {JobStatus.CANCELED},
}
"""By registry: how the jobs in it have ended."""

View = Callable[..., Any]


def views_of(web: Any, queue: TaskQueue) -> dict[str, View]:
    """Make rq-dashboard's module read safely; give the views that replace its own.

    Args:
        web: a private copy of `rq_dashboard.web`; it is changed.
        queue: does what changes jobs: its steps are atomic, rq-dashboard's are not.
    """
    reader = Reader(web)
    web.config.serializer = JsonOrText
    web.Job = reader.job_class
    web.Worker = _NoWorkers
    web.get_queue_registry_jobs_count = reader.page
    return {
        f"rq_dashboard.{name}": view
        for views in (_reading(web, queue, reader), _changing(queue, reader))
        for name, view in views.items()
    }


class _NoWorkers:
    """Stands where the workers' page reads every worker and then uses none."""

    @staticmethod
    def all(connection: Any) -> tuple[()]:  # noqa: ARG004 - rq's signature
        """None: rq's `Worker.all` would change the time limits of a shared connection pool."""
        return ()


def _reading(web: Any, queue: TaskQueue, reader: Reader) -> dict[str, View]:
    def jobs_overview(queue_name: str | None, **asked: Any) -> Any:
        return web.jobs_overview(queue_name=queue_name or queue.names[0], **_checked_page(**asked))

    def list_jobs(**asked: Any) -> Any:
        return web.list_jobs(**_checked_page(**asked))

    def job_info(instance_number: int, job_id: str) -> Any:  # noqa: ARG001 - rq-dashboard's route
        return jsonify(_job_page(web, reader.job(job_id))), {"Cache-Control": "no-store"}

    def job_view(instance_number: int, job_id: str) -> Any:
        reader.job(job_id)
        return web.job_view(instance_number=instance_number, job_id=job_id)

    def list_workers(instance_number: int) -> Any:  # noqa: ARG001 - rq-dashboard's route
        return jsonify({"workers": list(_workers(queue))}), {"Cache-Control": "no-store"}

    return {
        "jobs_overview": jobs_overview,
        "list_jobs": list_jobs,
        "job_info": job_info,
        "job_view": job_view,
        "list_workers": list_workers,
    }


def _checked_page(
    *, registry_name: str, per_page: Any, order: str, page: Any, **rest: Any
) -> dict[str, Any]:
    """What a list's URL asks for; 404 where it makes no sense."""
    if registry_name not in REGISTRIES or order not in ("asc", "dsc"):
        abort(404)
    sizes = (str(per_page), str(page))
    if not all(size.isdecimal() and len(size) < MAX_DIGITS and int(size) > 0 for size in sizes):
        abort(404)
    checked = {"registry_name": registry_name, "order": order, "page": int(page), **rest}
    return {**checked, "per_page": min(int(per_page), MAX_PAGE)}


def _job_page(web: Any, job: Any) -> dict[str, Any]:
    latest = job.latest_result()
    failed = latest is not None and latest.exc_string
    told = {
        "id": job.id,
        "created_at": web.serialize_date(job.created_at),
        "enqueued_at": web.serialize_date(job.enqueued_at),
        "started_at": web.serialize_date(job.started_at),
        "ended_at": web.serialize_date(job.ended_at),
        "origin": job.origin,
        "status": job.get_status(refresh=False),
        "result": latest.return_value if latest is not None else None,
        "exc_info": latest.exc_string if failed else None,
        "description": job.description,
        "metadata": to_json(job.meta).decode(),
    }
    if dependencies := [_job_id(key) for key in job.dependency_ids]:
        exist = [job.exists(each, job.connection) for each in dependencies]
        told["depends_on"] = dependencies
        told["depends_on_status"] = ["active" if each else "expired" for each in exist]
    return told


def _job_id(key: str) -> str:
    return key.rpartition(":")[2].strip()


def _workers(queue: TaskQueue) -> Iterator[dict[str, Any]]:
    workers = queue.store.run(steps.workers())
    for worker in sorted(workers, key=attrgetter("name")):
        told = worker.fields
        yield {
            **{field: told.get(field) for field in WORKER_FIELDS},
            "name": worker.name,
            "queues": told.get("queues", "").split(","),
            "state": told.get("state", "?"),
            "current_job": _current_job(queue, told.get("current_job", "")),
        }


def _current_job(queue: TaskQueue, job_id: str) -> Any:
    stored = queue.store.run(steps.read(job_id)) if job_id else None
    if stored is None:
        return "idle"
    info = stored.info
    created_at = info.created_at.isoformat() if info.created_at else None
    called = {"description": info.description, "call_string": info.description}
    return {"job_id": info.id, "created_at": created_at, **called}


def _changing(queue: TaskQueue, reader: Reader) -> dict[str, View]:
    delete = partial(_delete, queue)

    def delete_job_view(job_id: str) -> Any:
        delete(job_id)
        return jsonify(status="OK")

    def requeue_job_view(job_id: str) -> Any:
        queue.retry(job_id)
        return jsonify(status="OK")

    def requeue_all(queue_name: str) -> Any:
        return jsonify(status="OK", count=_each(queue.retry, reader.all_ids(queue_name, "failed")))

    def empty_queue(queue_name: str, registry_name: str) -> Any:
        ids = reader.all_ids(queue_name, registry_name)
        _each(delete, (each for each in ids if _lies_in(queue, registry_name, each)))
        return jsonify(status="OK")

    def compact_queue(queue_name: str) -> Any:
        # rq's way moves the list and loses what a crash leaves in between; claims drop dead ids
        reader.ids(queue_name, "queued")
        return jsonify(status="OK")

    return {
        "delete_job_view": delete_job_view,
        "requeue_job_view": requeue_job_view,
        "requeue_all": requeue_all,
        "empty_queue": empty_queue,
        "compact_queue": compact_queue,
    }


def _delete(queue: TaskQueue, job_id: str) -> None:
    """Delete a job; one that runs is stopped first."""
    step = steps.delete(job_id, now_text())
    if queue.store.run(step) != "refused":
        return
    queue.cancel(job_id)
    if queue.store.run(step) == "refused":
        raise JobConflict(job_id, "delete", JobStatus.STARTED)


def _lies_in(queue: TaskQueue, registry: str, job_id: str) -> bool:
    """Whether it is not another job's id by now: what expired is listed until it is trimmed."""
    if registry not in ENDS:
        return True
    try:
        stored = queue.store.run(steps.read(job_id))
    except DamagedJob:
        return True
    return stored is None or stored.info.status in ENDS[registry]


def _each(action: Callable[[str], Any], job_ids: Iterable[str]) -> int:
    """How many were done; those that another did meanwhile are left."""
    done = 0
    for job_id in job_ids:
        try:
            action(job_id)
        except (JobNotFound, JobConflict):
            continue
        done += 1
    return done
