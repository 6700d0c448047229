"""A job's handle: what became of it, its result, and what can be done with it."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, Generic, Self, TypeVar

from msgqueue.errors import (
    DamagedJob,
    JobCancelled,
    JobConflict,
    JobFailed,
    JobNotFound,
    ResultExpired,
)
from msgqueue.jobs import JobError, JobInfo, JobStatus
from msgqueue.runner import Runner
from msgqueue.store import steps
from msgqueue.store.codec import error_of, now_text
from msgqueue.store.messages import Requeued, Standing, Stored
from msgqueue.store.operations import Operation

R = TypeVar("R")

STOPS_WITHIN: Final = 1.0
"""Seconds that a cancel waits for the end of a job that runs."""


class Job(Generic[R]):
    """One job, by its id. Made by `task.enqueue(...)` and `queue.job(id)`.

    What it tells is what was last read; `refresh` reads again.

    Attributes:
        id: the job's id.
        status: where it was when last read.
        info: all of what `refresh` read; None before the first.
    """

    __slots__ = ("_decode", "_is_new", "_runner", "id", "info", "status")

    def __init__(
        self,
        job_id: str,
        runner: Runner,
        decode: Callable[[bytes], R],
        status: JobStatus,
        info: JobInfo | None = None,
        *,
        is_new: bool = False,
    ) -> None:
        self.id, self.status, self.info = job_id, status, info
        self._is_new = is_new  # nothing was ever written of it but that it waits
        self._runner, self._decode = runner, decode

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.status}>"

    @property
    def error(self) -> JobError | None:
        """How it failed, when last read; `result` raises it with its traceback."""
        return self.info.error if self.info else None

    @property
    def meta(self) -> Mapping[str, Any]:
        """The job's own notes, when last read."""
        return self.info.meta if self.info else {}

    def refresh(self) -> Self:
        """Read the job again, and answer with this handle.

        Raises:
            JobNotFound: it is no longer there.
        """
        return self._read(self._runner.blocking("job.refresh_async").run(steps.read(self.id)))

    async def refresh_async(self) -> Self:
        """Like `refresh`, without blocking the event loop."""
        return self._read(await self._runner.async_store.run(steps.read(self.id)))

    def cancel(self) -> JobStatus:
        """Cancel the job, or stop it where it runs, and answer with the status that this left.

        That is `canceled`; `stopped` for one that ran; `started` for one that is being stopped
        and has not ended within a second. A job that had ended keeps its status.

        Raises:
            JobNotFound: it is no longer there.
        """
        store = self._runner.blocking("job.cancel_async")
        cancelled = store.run(steps.cancel(self.id, now_text()))
        if cancelled.stopping:
            try:
                return self._left(self._runner.wait(self.id, STOPS_WITHIN).status)
            except TimeoutError:  # an end that writes no result is seen by looking
                return self.refresh().status
        return self._left(cancelled.status)

    async def cancel_async(self) -> JobStatus:
        """Like `cancel`, without blocking the event loop."""
        store = self._runner.async_store
        cancelled = await store.run(steps.cancel(self.id, now_text()))
        if cancelled.stopping:
            try:
                return self._left((await self._runner.wait_async(self.id, STOPS_WITHIN)).status)
            except TimeoutError:  # an end that writes no result is seen by looking
                return (await self.refresh_async()).status
        return self._left(cancelled.status)

    def retry(self) -> Self:
        """Put a job that has ended back into its queue, and answer with this handle.

        Raises:
            JobNotFound: it is no longer there.
            JobConflict: it has not ended.
        """
        store = self._runner.blocking("job.retry_async")
        return self._requeued(store.run(steps.requeue(self.id, now_text())))

    async def retry_async(self) -> Self:
        """Like `retry`, without blocking the event loop."""
        store = self._runner.async_store
        return self._requeued(await store.run(steps.requeue(self.id, now_text())))

    def result(self, timeout: float | None = None) -> R:
        """Wait for the job's end and answer with what its task returned.

        Args:
            timeout: seconds to wait at most; None waits for ever, 0 only looks.

        Raises:
            TimeoutError: it has not ended in time; it goes on.
            JobFailed: it ended with an error.
            JobCancelled: it was cancelled or stopped.
            ResultExpired: it finished, and its result is not kept, or no longer.
        """
        self._runner.blocking("job.result_async")
        is_new, self._is_new = self._is_new, False
        return self._value(self._runner.wait(self.id, timeout, is_new=is_new))

    async def result_async(self, timeout: float | None = None) -> R:
        """Like `result`; all who wait in one event loop share one connection."""
        return self._value(await self._runner.wait_async(self.id, timeout))

    def update_meta(self, changes: Mapping[str, Any]) -> None:
        """Add to the job's own notes, which lists and dashboards show; a running job's progress.

        One writer is assumed, as with rq's `save_meta`: of two at once, one may be lost.

        Raises:
            JobNotFound: it is no longer there.
        """
        store = self._runner.blocking("job.update_meta_async")
        self._noted(store.drive(self._merged_meta(changes)))

    async def update_meta_async(self, changes: Mapping[str, Any]) -> None:
        """Like `update_meta`, without blocking the event loop."""
        self._noted(await self._runner.async_store.drive(self._merged_meta(changes)))

    def _read(self, stored: Stored | None) -> Self:
        if stored is None:
            raise JobNotFound(self.id, self._runner.source.address)
        self.info, self.status = stored.info, stored.info.status
        return self

    def _left(self, status: JobStatus | None) -> JobStatus:
        if status is None:
            raise JobNotFound(self.id, self._runner.source.address)
        self.status = status
        return status

    def _requeued(self, answer: Requeued) -> Self:
        self._is_new = False
        self._left(answer.status)
        if not answer.done:
            raise JobConflict(self.id, "retry", self.status)
        return self

    def _value(self, standing: Standing) -> R:
        if standing.status is None:
            raise ResultExpired(self.id)
        self.status, result = standing.status, standing.result
        if self.status in (JobStatus.CANCELED, JobStatus.STOPPED):
            raise JobCancelled(self.id, self.status)
        if self.status is JobStatus.FAILED:
            traceback = result.traceback if result else ""
            error = error_of(traceback) if traceback else JobError("Error", "no longer kept")
            raise JobFailed(self.id, error.type, error.message, traceback)
        if result is None or result.kind != "ok":
            raise ResultExpired(self.id)
        try:
            return self._decode(result.value)
        except ValueError as error:
            raise DamagedJob(
                self.id, f"its result is not what the task's hint says: {error}"
            ) from error

    def _merged_meta(self, changes: Mapping[str, Any]) -> Operation[bool]:
        serializer = self._runner.serializer
        stored = yield steps.meta(self.id)
        kept = serializer.loads(stored) if stored else {}
        found: bool = yield steps.save_meta(self.id, serializer.dumps({**kept, **changes}))
        return found

    def _noted(self, found: bool) -> None:
        if not found:
            raise JobNotFound(self.id, self._runner.source.address)


class Running:
    """The job that a worker runs; its handle is made when the task first asks for it.

    Attributes:
        id: the job's id.
    """

    __slots__ = ("_job", "_make", "id")

    def __init__(self, job_id: str, make: Callable[[], Job[Any]]) -> None:
        self.id, self._make = job_id, make
        self._job: Job[Any] | None = None

    @property
    def job(self) -> Job[Any]:
        """The job's handle."""
        if self._job is None:
            self._job = self._make()
        return self._job


RUNNING: ContextVar[Running | None] = ContextVar("msgqueue.running", default=None)
"""What the worker sets for each run."""


def current_job() -> Job[Any] | None:
    """The job that the calling task runs in, as its worker sees it; None outside of a worker.

    Reads nothing: `refresh` does. It is right in coroutines, in `asyncio.gather` and in
    `asyncio.to_thread`; a thread started by hand has none.
    """
    running = RUNNING.get()
    return running.job if running else None
