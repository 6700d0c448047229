"""What rq alone understands: callbacks, and what `get_current_job` answers.

The report is ours all the same: fenced, and in one step.
"""

import sys
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, Final

import redis
import rq.job
from rq.timeouts import UnixSignalDeathPenalty

from msgqueue.job import RUNNING
from msgqueue.jobs import Claimed
from msgqueue.queue import TaskQueue
from msgqueue.worker.endings import Ending, failure, success
from msgqueue.worker.limits import JobTimeout, TimeLimit

try:
    from rq.callbacks import execute_failure_callback, execute_success_callback
except ImportError:  # rq 2: methods of Job
    execute_success_callback = getattr(rq.job.Job, "execute_success_callback")  # noqa: B009 - rq 3 has none
    execute_failure_callback = getattr(rq.job.Job, "execute_failure_callback")  # noqa: B009 - rq 3 has none

PAUSE: Final = 0.5  # seconds between two tries to read a job while Redis is away
CALLBACKS: Final = ("_success_callback_name", "_failure_callback_name", "_stopped_callback_name")


class RqPath:
    """Runs jobs that rq's own methods have to run."""

    def __init__(self, queue: TaskQueue, limit: TimeLimit) -> None:
        self._queue, self._limit = queue, limit

    def run(self, job: Claimed, now: float) -> Ending:
        """Run a job and its callback under the job's time limit."""
        try:
            try:
                rq_job = self._fetch(job.id)
                self._check(rq_job)
                self._limit.start(now, job.timeout)
                ending = self._perform(rq_job)
                self._limit.stop()
            except Exception as error:  # noqa: BLE001 - the edge where the user's code runs
                self._limit.stop()
                return failure(error)
        except JobTimeout as error:
            return failure(error)
        return ending

    def _perform(self, rq_job: Any) -> Ending:
        try:
            value = rq_job.perform()
            execute_success_callback(rq_job, UnixSignalDeathPenalty, value)
        except BaseException as error:  # noqa: BLE001 - rq calls back for every kind
            self._limit.stop()
            execute_failure_callback(rq_job, UnixSignalDeathPenalty, *sys.exc_info())
            return failure(error)
        return success(self._queue.resolve(rq_job.func_name), value)

    def _check(self, rq_job: Any) -> None:
        """Only what is registered or trusted runs, callbacks included."""
        self._queue.resolve(rq_job.func_name)
        for name in CALLBACKS:
            if path := getattr(rq_job, name, None):
                self._queue.resolve(path)

    def _fetch(self, job_id: str) -> Any:
        while True:
            try:
                return self._queue.rq_job(job_id)
            except (redis.ConnectionError, redis.TimeoutError):
                time.sleep(PAUSE)


class _Current:
    """Stands where rq keeps the running job; a job of ours is read when it is asked for."""

    def __init__(self, fetch: Callable[[str], Any]) -> None:
        self._fetch = fetch
        self._pushed: ContextVar[Any] = ContextVar("msgqueue.rq_pushed", default=None)
        self._read: ContextVar[tuple[object, Any]] = ContextVar("msgqueue.rq_read")

    @property
    def top(self) -> Any:
        """The running job, as rq 2 asks for it."""
        if pushed := self._pushed.get():
            return pushed
        running = RUNNING.get()
        if running is None:
            return None
        known = self._read.get(None)
        if known is None or known[0] is not running:
            known = running, self._fetch(running.job.id)
            self._read.set(known)
        return known[1]

    def push(self, job: Any) -> None:
        """rq 2's own `perform` begins."""
        self._pushed.set(job)

    def pop(self) -> Any:
        """rq 2's own `perform` ends."""
        job = self._pushed.get()
        self._pushed.set(None)
        return job

    def get(self) -> Any:
        """The running job, as rq 3 asks for it."""
        return self.top

    def set(self, job: Any) -> Token[Any]:
        """rq 3's own `perform` begins."""
        return self._pushed.set(job)

    def reset(self, token: Token[Any]) -> None:
        """rq 3's own `perform` ends."""
        self._pushed.reset(token)


def show_current_job(queue: TaskQueue) -> None:
    """Make rq's `get_current_job()` work inside of our runs, in coroutines too."""
    name = "_current_job" if hasattr(rq.job, "_current_job") else "_job_stack"
    setattr(rq.job, name, _Current(queue.rq_job))
