"""An rq worker whose methods run a job, and note how it ended instead of writing it to Redis."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from rq import Worker
from rq.executions import Execution
from rq.job import Job, JobStatus

from msgqueue.job import RUNNING, Running
from msgqueue.jobs import Claimed
from msgqueue.worker.endings import Ending, failure, retry_text
from msgqueue.worker.limits import SupervisorLost, TimeLimit
from msgqueue.worker.shared import clock

RQ_3: Final = hasattr(Worker, "executions_key")
AFTERWARDS: Final = 60.0  # seconds beyond its time limit after which rq kills what still goes on

Encode = Callable[[Job, Any], bytes]
Extend = Callable[[float], None]


@dataclass(slots=True)
class Run:
    """One run of a job by rq's methods.

    Attributes:
        running: the job, as `current_job()` finds it.
        encode: writes what the function returned.
        keeps_retries: whether it writes a returned Retry, too.
        limit: the time limit of this process.
        extend: moves the moment (clock time) at which the supervisor ends the run.
        ending: how it ended, once rq's methods have said so.
        webhooks: the job's; they are sent after the report.
        lost: whether the supervisor was lost under it.
    """

    running: Running
    encode: Encode
    keeps_retries: bool
    limit: TimeLimit
    extend: Extend
    ending: Ending | None = None
    webhooks: list[Any] = field(default_factory=list)
    lost: bool = False


class Penalty:
    """What rq's methods put around user code: a time limit, kept by ours.

    rq's own takes the signal away from us, and leaves the process without a handler.
    """

    def __init__(self, run: Run, timeout: float | None, exception: type[Exception], **_: Any):
        self._run, self._timeout, self._exception = run, timeout or 0.0, exception

    def __enter__(self) -> None:
        seconds = self._timeout
        now = clock()
        if seconds > 0:
            told = f"Task exceeded maximum timeout value ({seconds} seconds)"
            self._run.extend(now + seconds)
            self._run.limit.start(now, seconds, self._exception(told))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._run.limit.stop()
        self._run.extend(clock() + AFTERWARDS)
        if kind is SupervisorLost:
            self._run.lost = True


class PerformingWorker(Worker):
    """While it is `noting`, its methods write nothing: the report is our fenced step."""

    _run: Run | None = None

    @contextmanager
    def noting(self, run: Run) -> Iterator[None]:
        """Run a job within: what rq's methods would write is noted in `run`."""
        self._run = run
        mine = self.death_penalty_class
        self.death_penalty_class: Any = lambda *args, **kwargs: Penalty(run, *args, **kwargs)
        try:
            yield
        finally:
            self._run = None
            self.death_penalty_class = mine

    def execute_job(self, job: Job, queue: Any) -> None:
        """Run a job in this process, by rq's own `perform_job`."""
        if self._run is None:
            super().execute_job(job, queue)
        elif RQ_3:
            self.perform_job(job, queue, self.execution)  # type: ignore[arg-type,unused-ignore]
        else:
            self.perform_job(job, queue)  # type: ignore[call-arg,unused-ignore]

    def prepare_job_execution(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """The claim has written all of it."""
        if self._run is None:
            super().prepare_job_execution(job, *args, **kwargs)
            return
        job.worker_name = self.name
        job.started_at = job.last_heartbeat = datetime.now(UTC)
        job._status = JobStatus.STARTED  # noqa: SLF001 - as rq's own method does

    def handle_execution_ended(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """The report will write all of it."""
        if self._run is None:
            super().handle_execution_ended(job, *args, **kwargs)
        else:
            job.ended_at = datetime.now(UTC)

    def handle_job_success(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Note what the job returned."""
        if (run := self._run) is None:
            super().handle_job_success(job, *args, **kwargs)
            return
        value = job._result  # noqa: SLF001 - rq's `result` asks Redis
        encoded = run.encode(job, value) if value is not None else b""
        run.ending = Ending("repeat" if job.repeats_left else "ok", encoded)
        _keep_webhooks(job, run)

    def handle_job_retry(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Note that the job asks for another run."""
        if (run := self._run) is None:
            super().handle_job_retry(job, *args, **kwargs)
            return
        value = job._result  # noqa: SLF001 - rq's `result` asks Redis
        returned = run.encode(job, value) if run.keeps_retries else b""
        run.ending = Ending("retry", retry_text(value, returned))
        _keep_webhooks(job, run)

    def handle_job_failure(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Note how the job failed."""
        if (run := self._run) is None:
            super().handle_job_failure(job, *args, **kwargs)
            return
        told = str(kwargs.get("exc_string", ""))
        run.ending = Ending("error", told.encode("utf-8", "backslashreplace"))
        _keep_webhooks(job, run)

    def perform(self, job: Job, claimed: Claimed, run: Run) -> Ending:
        """Run a job by rq's methods, in a context of its own.

        Raises:
            SupervisorLost: the lease ran out with the supervisor gone; the job did not end.
        """
        queue = self.queue_class(
            claimed.queue,
            connection=self.connection,
            job_class=self.job_class,
            serializer=self.serializer,
        )
        self.execution = Execution(claimed.execution, job.id, self.connection)
        try:
            with self.noting(run):
                context = copy_context()
                context.run(RUNNING.set, run.running)
                context.run(self.execute_job, job, queue)
        except SupervisorLost:
            raise
        except BaseException as error:  # noqa: BLE001 - what an exception handler raises ends here
            return failure(error)
        finally:
            self.execution = None
        if run.lost:
            raise SupervisorLost
        return run.ending or failure(RuntimeError("rq's methods did not say how the job ended"))


def _keep_webhooks(job: Job, run: Run) -> None:
    run.webhooks, job.webhooks = job.webhooks, []
