"""Runs jobs as rq does, in a warm process: any importable function, by rq's own rules."""

import asyncio
import logging
import sys
from contextvars import copy_context
from functools import cache
from typing import Any, Final, NamedTuple

import redis
from rq.job import Job, JobStatus, Retry
from rq.logutils import blue, green
from rq.timeouts import JobTimeoutException
from rq.utils import get_call_string, import_attribute

from msgqueue.job import RUNNING, Running
from msgqueue.jobs import Claimed
from msgqueue.queue import TaskQueue
from msgqueue.store import keys
from msgqueue.store.codec import unpack_call
from msgqueue.worker.endings import Ending, failure, retry_text
from msgqueue.worker.exits import Death
from msgqueue.worker.limits import SupervisorLost, TimeLimit
from msgqueue.worker.rq_overrides import heeded
from msgqueue.worker.rq_path import GONE, RqPath, Rules
from msgqueue.worker.rq_performing import AFTERWARDS, Extend, PerformingWorker
from msgqueue.worker.shared import clock

NONE: Final = Ending("ok", b"")
DELIBERATE: Final = ("stop", "drain")  # causes of which rq tells no handler


class _Call(NamedTuple):
    name: str
    function: Any
    args: Any
    kwargs: Any


class RqRules(RqPath):
    """Runs every job of a worker: the short way, or by rq's methods where anything asks for them.

    Args:
        worker: rq's, whose rules hold.
        queue: of the same Redis; its own tasks mean nothing here.
        limit: the time limit of this process.
    """

    def __init__(self, worker: PerformingWorker, queue: TaskQueue, limit: TimeLimit) -> None:
        def fetch(job_id: str) -> Job:
            return worker.job_class.fetch(job_id, worker.connection, worker.serializer)

        def encode(_job: Job, value: Any) -> bytes:
            return bytes(worker.serializer.dumps(value))

        super().__init__(
            Rules(worker, fetch, _anything, encode, queue.job, keeps_retries=True), limit
        )
        self._worker, self._dumps = worker, worker.serializer.dumps
        worker._is_horse = True  # noqa: SLF001 - as in rq's horse: sentry-sdk sends by it
        self._whole = worker.job_class is not Job or bool(heeded(worker))
        self._import = cache(import_attribute)
        self._unwanted: str | None = None

    def run(self, job: Claimed, now: float, extend: Extend) -> Ending:
        """Run a job."""
        _close_old_connections()
        try:
            return self._run_either_way(job, now, extend)
        finally:
            _close_old_connections()

    def _run_either_way(self, job: Claimed, now: float, extend: Extend) -> Ending:
        if self._whole or job.rq_only:
            self._tell("%s: %s", green(job.queue), job.id)
            ending = super().run(job, now, extend)
        else:
            ending = self._run(job, now, extend)
            if ending.kind == "ok":
                self._tell("%s: %s (%s)", green(job.queue), blue("Job OK"), job.id)
        if ending.kind == "error" and self._worker.disable_default_exception_handler:
            self._unwanted = job.id
        return ending

    @property
    def owes(self) -> bool:
        """Whether `after_report` has something to do."""
        return super().owes or self._unwanted is not None

    def after_report(self) -> None:
        """Without rq's default exception handler a failure is in no registry, and has no result."""
        super().after_report()
        job_id, self._unwanted = self._unwanted, None
        if job_id is None:
            return
        try:
            job = self._rules.fetch(job_id)
            if job.get_status(refresh=False) == JobStatus.FAILED:
                job.failed_job_registry.remove(job)
                if (result := job.latest_result()) is not None:
                    job.connection.xdel(keys.results(job_id), str(result.id))
        except (redis.RedisError, *GONE) as error:
            self._worker.log.warning("job %s stays among the failed ones: %s", job_id, error)

    def after_death(self, job: Job, death: Death) -> None:
        """Tell rq's worker first, which has a handler for it."""
        if death.run.cause not in DELIBERATE:
            told = job, death.pid, death.exit.status, death.exit.usage
            self._worker.handle_work_horse_killed(*told)  # type: ignore[no-untyped-call] # rq gives it no hints
        super().after_death(job, death)

    def _run(self, job: Claimed, now: float, extend: Extend) -> Ending:
        seconds = job.timeout
        told = JobTimeoutException(f"Task exceeded maximum timeout value ({seconds} seconds)")
        try:
            try:
                self._limit.start(now, seconds, told)
                ending = copy_context().run(self._call, job)
                self._limit.stop()
            except SupervisorLost:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge where the user's code runs
                self._limit.stop()
                return self._failed(job, error, extend)
        except JobTimeoutException as error:  # it may strike inside the handler above, too
            return self._failed(job, error, extend)
        return ending

    def _call(self, job: Claimed) -> Ending:
        RUNNING.set(Running(job.id, lambda: self._rules.handle(job.id)))
        call = self._read(job)
        if self._worker.log_job_description and self._worker.log.isEnabledFor(logging.INFO):
            told = get_call_string(call.name, call.args, call.kwargs, max_length=75)
            self._tell("%s: %s (%s)", green(job.queue), blue(told), job.id)
        else:
            self._tell("%s: %s", green(job.queue), job.id)
        value = call.function(*call.args, **call.kwargs)
        if asyncio.iscoroutine(value):
            value = asyncio.run(value)
        if value is None:
            return NONE
        if isinstance(value, Retry):
            return Ending("retry", retry_text(value, self._dumps(value)))
        return Ending("ok", self._dumps(value))

    def _read(self, job: Claimed) -> _Call:
        name, instance, args, kwargs = self._worker.serializer.loads(unpack_call(job.data))
        function = self._import(name) if instance is None else getattr(instance, name)
        return _Call(name, function, args, kwargs)

    def _failed(self, job: Claimed, error: BaseException, extend: Extend) -> Ending:
        """Let rq's worker log the error, and call its exception handlers."""
        extend(clock() + AFTERWARDS)
        ending = failure(error)
        try:
            rq_job = self.fetch(job.id)
            rq_job._status = JobStatus.FAILED  # noqa: SLF001 - what rq's handlers find
            self._worker.handle_exception(rq_job, type(error), error, error.__traceback__)
        except Exception:
            log, name = self._worker.log, self._worker.name
            log.exception("Worker %s: job %s: its failure could not be handled", name, job.id)
        return ending

    def _tell(self, message: str, *args: object) -> None:
        """Log in rq's words."""
        worker = self._worker
        if worker.log.isEnabledFor(logging.INFO):
            worker.log.info(f"Worker %s: {message}", worker.name, *args)  # noqa: G004 - a prefix


def _close_old_connections() -> None:
    """What Django does around each request: a warm process outlives its database connections.

    Imported without a project, as by sentry-sdk, it has none, and raises when asked.
    """
    conf, database = sys.modules.get("django.conf"), sys.modules.get("django.db")
    if conf is not None and database is not None and conf.settings.configured:
        database.close_old_connections()


def _anything(_job: Job) -> None:
    """Any importable function runs: rq's rule."""
