"""What rq alone understands: callbacks, webhooks, repeats and rate limits.

rq's own methods run the job; the report is ours all the same: fenced, and in one step.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import redis
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus

from msgqueue.errors import JobNotFound, UnknownTask
from msgqueue.job import Job as Handle
from msgqueue.job import Running
from msgqueue.jobs import Claimed
from msgqueue.queue import TaskQueue
from msgqueue.tasks import RUN_JSON, called_path
from msgqueue.worker.declining import decline
from msgqueue.worker.endings import Ending, failure
from msgqueue.worker.exits import Death
from msgqueue.worker.limits import TimeLimit
from msgqueue.worker.rq_performing import RQ_3, Extend, Penalty, PerformingWorker, Run

PAUSE: Final = 0.5  # seconds between two tries to read a job while Redis is away
GONE: Final = (NoSuchJobError, JobNotFound)
CALLBACK_RUNNERS: Any = import_module("rq.callbacks") if RQ_3 else Job  # rq 2: its methods
CALLBACKS: Final = ("_success_callback_name", "_failure_callback_name", "_stopped_callback_name")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """Whose jobs rq's methods run, and what holds for them.

    Attributes:
        worker: the rq worker whose methods they are.
        fetch: reads a job by its id; raises what `GONE` names for one that is gone.
        check: raises what is wrong with a job that must not run.
        encode: writes what its function returned.
        handle: gives what `current_job()` answers.
        keeps_retries: whether a result holds a returned Retry.
    """

    worker: PerformingWorker
    fetch: Callable[[str], Job]
    check: Callable[[Job], None]
    encode: Callable[[Job, Any], bytes]
    handle: Callable[[str], Handle[Any]]
    keeps_retries: bool = False


class RqPath:
    """Runs jobs by rq's own methods, and does what is due after their report."""

    def __init__(self, rules: Rules, limit: TimeLimit) -> None:
        self._rules, self._limit = rules, limit
        self._ended: tuple[Job, Run] | None = None

    def run(self, job: Claimed, _now: float, extend: Extend) -> Ending:
        """Run a job with its callbacks.

        Args:
            job: the job.
            _now: `clock()` at its begin.
            extend: moves the moment at which the supervisor ends the run.
        """
        rules = self._rules
        try:
            rq_job = self.fetch(job.id)
            rules.check(rq_job)
        except UnknownTask as error:
            return decline(job, error, error.name, rules.worker.name)
        except Exception as error:  # noqa: BLE001 - whatever the data makes rq raise
            return failure(error)
        run = self._new_run(job.id, extend)
        ending = rules.worker.perform(rq_job, job, run)
        if run.webhooks or getattr(rq_job, "rate_limit_key", None):
            self._ended = rq_job, run
        return ending

    def _new_run(self, job_id: str, extend: Extend) -> Run:
        running = Running(job_id, lambda: self._rules.handle(job_id))
        rules = self._rules
        return Run(running, rules.encode, rules.keeps_retries, self._limit, extend)

    def fetch(self, job_id: str) -> Job:
        """Read a job, however long Redis is away."""
        while True:
            try:
                return self._rules.fetch(job_id)
            except (redis.ConnectionError, redis.TimeoutError):
                time.sleep(PAUSE)

    @property
    def owes(self) -> bool:
        """Whether `after_report` has something to do: report what ended first."""
        return self._ended is not None

    def after_report(self) -> None:
        """Send webhooks, and let the next job of a rate limit go."""
        if self._ended is None:
            return
        (job, run), self._ended = self._ended, None
        try:
            _send_webhooks(job, run)
            _give_way(job)
        except redis.RedisError as error:
            logger.warning("job %s: not all that follows it was done: %s", job.id, error)

    def after_deaths(self, deaths: Iterable[Death]) -> None:
        """Do for jobs whose process died, or was ended, what rq's worker does."""
        for death in deaths:
            try:
                job = self.fetch(death.run.id)
                self._rules.check(job)
                self.after_death(job, death)
            except GONE:
                continue
            except Exception:
                logger.exception("job %s: what follows its end failed", death.run.id)

    def after_death(self, job: Job, death: Death) -> None:
        """Run its callback for a stop, send its webhooks, and let the next one of its limit go."""
        ended = death.run
        run = self._new_run(job.id, _nobody_watches)
        if ended.cause == "stop" and job.stopped_callback:
            CALLBACK_RUNNERS.execute_stopped_callback(
                job, lambda *args, **kwargs: Penalty(run, *args, **kwargs)
            )
        if job.webhooks and job.get_status() == JobStatus.FAILED:
            job.send_webhooks(JobStatus.FAILED, exc_string=ended.reason)
        _give_way(job)


def _nobody_watches(_until: float) -> None:
    """No job runs."""


def _send_webhooks(job: Job, run: Run) -> None:
    if not run.webhooks or run.ending is None:
        return
    job.webhooks = run.webhooks
    status = job.connection.hget(job.key, "status")
    if run.ending.kind == "repeat" or (run.ending.kind == "ok" and status in (None, b"finished")):
        job.send_webhooks(JobStatus.FINISHED)
    elif status == b"failed":
        told = run.ending.value.decode() if run.ending.kind == "error" else ""
        job.send_webhooks(JobStatus.FAILED, exc_string=told)


def _give_way(job: Job) -> None:
    """The job holds its place within a rate limit no longer, unless it runs again."""
    if getattr(job, "rate_limit_key", None):
        limits: Any = import_module("rq.rate_limit")  # rq 2 has none
        limits.RateLimitRegistry.from_job(job).release_stale_and_enqueue(job.id)


class _TaskWorker(PerformingWorker):
    """Runs jobs of a TaskQueue, over its connections."""

    def _set_connection(self, connection: redis.Redis) -> redis.Redis:
        return connection  # rq's own makes every call wait for minutes where Redis hangs


def task_rules(queue: TaskQueue, name: str) -> Rules:
    """What holds for the jobs of a TaskQueue: only what is registered or trusted runs.

    Args:
        queue: whose jobs.
        name: of the worker.
    """
    client = queue.source.client()
    worker = _TaskWorker([], name=name, connection=client, prepare_for_work=False)
    worker.serializer = queue.serializer  # has what rq uses of one

    def check(job: Job) -> None:
        queue.resolve(_path(job))
        for callback in CALLBACKS:
            if path := getattr(job, callback, None):
                queue.resolve(path)

    def encode(job: Job, value: Any) -> bytes:
        path = _path(job)
        if path.endswith(RUN_JSON):  # has encoded it already
            return queue.serializer.dumps(value)
        return queue.resolve(path).encode_result(value)

    return Rules(worker, queue.rq_job, check, encode, queue.job)


def _path(job: Job) -> str:
    return called_path(str(job.func_name), job.instance)
