"""Jobs as rq-dashboard reads them: through rq, whatever is stored there, and never unpickled.

rq is reached only through the names in rq-dashboard's module, so that both speak to one rq.
"""

import zlib
from typing import Any

from flask import abort, current_app
from pydantic_core import from_json, to_json

from msgqueue.errors import DamagedJob, JobNotFound
from msgqueue.store.codec import text

REGISTRIES = ("queued", "scheduled", "deferred", "started", "finished", "failed", "canceled")
UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
    OverflowError,
    RecursionError,
    zlib.error,
)
"""What rq raises on a job hash or a result that somebody else wrote."""


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


def _connection() -> Any:
    """The one that all views of rq-dashboard use: they, too, find it at the Flask app."""
    return current_app.redis_conn  # type: ignore[attr-defined] # an attribute that Flask has not


class Reader:
    """Reads jobs through rq, whatever is stored there."""

    def __init__(self, web: Any) -> None:
        self._web = web
        self.job_class = _shown_job(web)

    def ids(self, queue: str, registry: str) -> Any:
        """The registry's object and its length; 404 where there is no such registry."""
        if registry not in REGISTRIES:
            abort(404, f"no registry {registry!r}")
        connection = _connection()
        if registry == "queued":
            found = self._web.Queue(queue, connection=connection, job_class=self.job_class)
            return found, found.count
        kind = getattr(self._web, f"{registry.capitalize()}JobRegistry")
        found = kind(queue, connection=connection, job_class=self.job_class)
        return found, found.get_job_count(cleanup=False)

    def all_ids(self, queue: str, registry: str) -> list[str]:
        """Every id of a registry."""
        found, _ = self.ids(queue, registry)
        return _slice(found, registry, 0, None)

    def job(self, job_id: str) -> Any:
        """One job.

        Raises:
            JobNotFound: there is none.
            DamagedJob: rq cannot read it.
        """
        try:
            return self.job_class.fetch(job_id, _connection())
        except (self._web.NoSuchJobError, ValueError) as error:
            raise JobNotFound(job_id) from error

    def page(
        self, queue: str, registry: str, offset: int, per_page: int, order: str, _connection: Any
    ) -> tuple[int, list[dict[str, Any]]]:
        """In place of rq-dashboard's, whose pages overlap and differ in length."""
        found, total = self.ids(queue, registry)
        start = offset if order == "asc" else max(0, total - offset - per_page)
        stop = offset + per_page if order == "asc" else total - offset
        ids = list(_slice(found, registry, start, min(stop, total)))
        if order != "asc":
            ids.reverse()
        return total, [row for each in ids if (row := self._row(each)) is not None]

    def _row(self, job_id: str) -> dict[str, Any] | None:
        try:
            return dict(self._web.serialize_job(self.job(job_id)))
        except JobNotFound:
            return None
        except DamagedJob as damaged:
            return {"id": job_id, "description": str(damaged), "created_at": None}


def _slice(found: Any, registry: str, start: int, stop: int | None) -> list[str]:
    """The ids from one place to another, or to the end; rq reads none that is no UTF-8."""
    if stop is not None and stop <= start:
        return []
    read = found.connection.lrange if registry == "queued" else found.connection.zrange
    names = map(text, read(found.key, start, -1 if stop is None else stop - 1))
    return list(names) if registry == "queued" else [found.parse_job_id(name) for name in names]


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

        @property
        def dependency_ids(self) -> list[str]:
            return [text(each) for each in self.connection.smembers(self.dependencies_key)]

        def latest_result(self, timeout: int = 0) -> Any:
            try:
                return super().latest_result(timeout)
            except UNREADABLE:
                return None

    return ShownJob
