"""Runs one job under its time limit and says how it ended; touches no Redis."""

import asyncio
import inspect
from contextvars import copy_context
from typing import Any, NamedTuple

from msgqueue.errors import InvalidArguments, UnknownTask
from msgqueue.job import RUNNING, Running
from msgqueue.jobs import Claimed, Enqueued, JobStatus
from msgqueue.observe.faults import fault_point
from msgqueue.queue import TaskQueue
from msgqueue.store.codec import unpack_call
from msgqueue.tasks import Task, called_path
from msgqueue.worker.declining import decline
from msgqueue.worker.endings import Ending, failure, success
from msgqueue.worker.limits import JobTimeout, SupervisorLost, TimeLimit


class Call(NamedTuple):
    """A claimed job, read: which function with which encoded arguments."""

    task: Task[Any, Any]
    args: list[Any]
    kwargs: dict[str, Any]


class Execution:
    """Reads and runs the jobs of one child, and declines those that are not for its code.

    Args:
        queue: whose tasks it knows.
        limit: the time limit of this process.
        worker: the child's name.
    """

    def __init__(self, queue: TaskQueue, limit: TimeLimit, worker: str) -> None:
        self._resolve = queue.resolve
        self._loads = queue.serializer.loads
        self._limit, self._worker = limit, worker

    def read(self, job: Claimed) -> Call | Ending:
        """What to call, or the error that makes it impossible. Runs none of the user's code."""
        try:
            path, instance, args, kwargs = self._loads(unpack_call(job.data))
            return Call(self._resolve(called_path(path, instance)), args, kwargs)
        except UnknownTask as error:
            return decline(job, error, error.name, self._worker)
        except Exception as error:  # noqa: BLE001 - whatever the data makes the serializer raise
            return failure(error)

    def run(self, call: Call, job: Claimed, now: float) -> Ending:
        """Run a function in this thread, which must be the main one.

        Args:
            call: what `read` gave.
            job: the job, for its time limit.
            now: `clock()` at its begin.

        Raises:
            SupervisorLost: the lease ran out with the supervisor gone; the job did not end.
        """
        limit = self._limit
        try:
            try:
                limit.start(now, job.timeout)
                fault_point("run.before")
                # A context of its own: what the job sets in context variables ends with it.
                ending = copy_context().run(_call, call, job.id)
                limit.stop()
                fault_point("run.after")
            except (JobTimeout, SupervisorLost):
                raise
            except BaseException as error:  # noqa: BLE001 - sys.exit() in a job ends the job alone
                limit.stop()
                return self._failed(call, job, error)
        except JobTimeout as error:  # it may strike inside the handler above, too
            return failure(error)
        return ending

    async def run_async(self, call: Call, job: Claimed) -> Ending:
        """Run a coroutine function under its time limit; a cancel of this task is its stop."""
        timer = asyncio.timeout(job.timeout if job.timeout > 0 else None)
        try:
            async with timer:
                return await self.perform(call, job)
        except TimeoutError as error:
            return failure(JobTimeout(job.timeout).with_traceback(error.__traceback__))
        except asyncio.CancelledError as error:
            return failure(error)

    async def perform(self, call: Call, job: Claimed) -> Ending:
        """Run a coroutine function; whoever calls keeps its time limit.

        Raises:
            asyncio.CancelledError: this task was cancelled, and the function let itself be.
        """
        _show(call.task, job.id)
        try:
            args, kwargs = call.task.decode(call.args, call.kwargs)
            return success(call.task, await call.task.function(*args, **kwargs))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the edge where the user's code runs
            return self._failed(call, job, error)

    def _failed(self, call: Call, job: Claimed, error: BaseException) -> Ending:
        if isinstance(error, TypeError | InvalidArguments) and _does_not_fit(call, error):
            return decline(job, error, call.task.name, self._worker)
        return failure(error)


def _call(call: Call, job_id: str) -> Ending:
    task = call.task
    _show(task, job_id)
    args, kwargs = task.decode(call.args, call.kwargs)
    return success(task, task.function(*args, **kwargs))


def _does_not_fit(call: Call, error: TypeError | InvalidArguments) -> bool:
    """Whether the function does not take such arguments, so that nothing of it was entered.

    What it raises itself, or a decorator around it, comes from a frame of its own.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == _call.__code__.co_filename:
        trace = trace.tb_next
    if trace is not None:
        return trace.tb_frame.f_code is Task.decode.__code__
    try:
        inspect.signature(call.task.function).bind(*call.args, **call.kwargs)
    except TypeError:
        return True
    except ValueError:  # a function in C may have no signature
        return False
    return False


def _show(task: Task[Any, Any], job_id: str) -> None:
    """Let `current_job()` find the job in this context."""
    handle = Enqueued(job_id, created=False, status=JobStatus.STARTED)
    RUNNING.set(Running(job_id, lambda: task.job(handle)))
