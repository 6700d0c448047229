"""What rq-dashboard shows and does, where its own views unpickle, fail, count wrong or lose jobs.

rq is reached only through the names in rq-dashboard's module, so that both speak to one rq.
"""

import zlib
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from flask import abort, current_app, jsonify
from pydantic_core import from_json, to_json

from msgqueue.errors import DamagedJob, JobConflict, JobNotFound
from msgqueue.jobs import JobStatus
from msgqueue.queue import TaskQueue
from msgqueue.store import steps

REGISTRIES = ("queued", "scheduled", "deferred", "started", "finished", "failed", "canceled")
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
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, zlib.error)
"""What rq raises on a job hash or a result that somebody else wrote."""

View = Callable[..., Any]


class JsonOrText:
    """An rq serializer that reads JSON, never unpickles, and shows as text what it cannot read."""

    @staticmethod
    def loads(data: bytes) -> Any:
        """The value, or a line that says what is there instead."""
        try:
            return from_json(data)
        except ValueError:
            return f"({len(data):,} bytes that are not JSON; they are not unpickled here)"

    @staticmethod
    def dumps(value: Any) -> bytes:
        """JSON."""
        return to_json(value)


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


class Reader:
    """Reads jobs through rq, whatever is stored there."""

    def __init__(self, web: Any) -> None:
        self._web = web
        self.job_class = _shown_job(web)

    def ids(self, queue: str, registry: str) -> Any:
        """The registry's object and its length; 404 where there is no such registry."""
        if registry not in REGISTRIES:
            abort(404, f"no registry {registry!r}")
        connection = current_app.redis_conn  # type: ignore[attr-defined]
        if registry == "queued":
            found = self._web.Queue(queue, connection=connection, job_class=self.job_class)
            return found, found.count
        kind = getattr(self._web, f"{registry.capitalize()}JobRegistry")
        found = kind(queue, connection=connection, job_class=self.job_class)
        return found, found.get_job_count(cleanup=False)

    def all_ids(self, queue: str, registry: str) -> list[str]:
        """Every id of a registry."""
        found, _ = self.ids(queue, registry)
        options = {} if registry == "queued" else {"cleanup": False}
        return list(found.get_job_ids(**options))

    def page(
        self, queue: str, registry: str, offset: int, per_page: int, order: str, connection: Any
    ) -> tuple[int, list[dict[str, Any]]]:
        """In place of rq-dashboard's, whose pages overlap and differ in length."""
        found, total = self.ids(queue, registry)
        start = offset if order == "asc" else max(0, total - offset - per_page)
        stop = offset + per_page if order == "asc" else total - offset
        ids = list(_slice(found, registry, start, min(stop, total)))
        if order != "asc":
            ids.reverse()
        return total, [row for each in ids if (row := self._row(each, connection)) is not None]

    def _row(self, job_id: str, connection: Any) -> dict[str, Any] | None:
        try:
            return dict(self._web.serialize_job(self.job_class.fetch(job_id, connection)))
        except self._web.NoSuchJobError:
            return None
        except DamagedJob as damaged:
            return {"id": job_id, "description": str(damaged), "created_at": None}


def _slice(found: Any, registry: str, start: int, stop: int) -> list[str]:
    if stop <= start:
        return []
    if registry == "queued":
        return list(found.get_job_ids(start, stop - start))
    return list(found.get_job_ids(start, stop - 1, cleanup=False))


def _shown_job(web: Any) -> Any:
    """A Job of rq that reads through JsonOrText; DamagedJob where rq cannot read it."""

    class ShownJob(web.Job):  # type: ignore[misc] # known at run time only
        def __init__(self, id: Any = None, connection: Any = None, serializer: Any = None) -> None:  # noqa: ARG002 - rq's signature
            super().__init__(id, connection, JsonOrText)

        def restore(self, raw_data: Any) -> Any:
            try:
                return super().restore(raw_data)
            except UNREADABLE as error:
                raise DamagedJob(self.id, f"{type(error).__name__}: {error}") from error

        def latest_result(self, timeout: int = 0) -> Any:
            try:
                return super().latest_result(timeout)
            except UNREADABLE:
                return None

    return ShownJob


def _reading(web: Any, queue: TaskQueue, reader: Reader) -> dict[str, View]:
    def jobs_overview(queue_name: str | None, **asked: Any) -> Any:
        return web.jobs_overview(queue_name=queue_name or queue.names[0], **_checked_page(**asked))

    def list_jobs(**asked: Any) -> Any:
        return web.list_jobs(**_checked_page(**asked))

    def job_info(instance_number: int, job_id: str) -> Any:  # noqa: ARG001 - rq-dashboard's route
        job = _fetched(web, reader, job_id)
        return jsonify(_job_page(web, job)), {"Cache-Control": "no-store"}

    def job_view(instance_number: int, job_id: str) -> Any:
        _fetched(web, reader, job_id)
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


def _fetched(web: Any, reader: Reader, job_id: str) -> Any:
    try:
        return reader.job_class.fetch(job_id, current_app.redis_conn)  # type: ignore[attr-defined]
    except (web.NoSuchJobError, ValueError) as error:
        raise JobNotFound(job_id) from error


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


def _job_id(key: str | bytes) -> str:
    text = key.decode() if isinstance(key, bytes) else key
    return text.rpartition(":")[2].strip()


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
    def delete(job_id: str) -> None:
        if queue.store.run(steps.delete(job_id)) == "refused":
            raise JobConflict(job_id, "delete", JobStatus.STARTED)

    def delete_job_view(job_id: str) -> Any:
        delete(job_id)
        return jsonify(status="OK")

    def requeue_job_view(job_id: str) -> Any:
        queue.retry(job_id)
        return jsonify(status="OK")

    def requeue_all(queue_name: str) -> Any:
        return jsonify(status="OK", count=_each(queue.retry, reader.all_ids(queue_name, "failed")))

    def empty_queue(queue_name: str, registry_name: str) -> Any:
        _each(delete, reader.all_ids(queue_name, registry_name))
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


def _each(action: Callable[[str], Any], job_ids: list[str]) -> int:
    """How many were done; those that another did meanwhile are left."""
    done = 0
    for job_id in job_ids:
        try:
            action(job_id)
        except (JobNotFound, JobConflict):
            continue
        done += 1
    return done
