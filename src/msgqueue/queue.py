"""TaskQueue: declares tasks; enqueues, finds, lists, cancels and retries their jobs."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar, Unpack, overload

import redis

from msgqueue.connection import Source
from msgqueue.job import Job
from msgqueue.jobs import JobInfo, JobOptions, JobSpec, JobStatus, Page
from msgqueue.options import Options, merged
from msgqueue.registry import AnyTask, Registry
from msgqueue.runner import Runner
from msgqueue.serializers import SerializerName, serializer_named
from msgqueue.settings import DEFAULT_QUEUE, Settings
from msgqueue.sources import connector
from msgqueue.store import listing, steps
from msgqueue.store.rq_bridge import RqJob, RqQueue, rq_job, rq_queue
from msgqueue.store.run import AsyncStore, Store
from msgqueue.tasks import AsyncTask, Task, TaskDecorator

P = ParamSpec("P")
R = TypeVar("R")


class TaskQueue:
    """A set of tasks, and their jobs in the queues of one Redis.

    Constructing it does no I/O; the first use connects. Threads, event loops and forked processes
    may share it. Each method has a twin for asyncio, whose name ends with `_async`.

    Args:
        url: `redis://`, `rediss://`, `unix://` or `redis+sentinel://`; default: what
            MSGQUEUE_REDIS_URL says, else the embedded server, started or shared at first use.
        queues: the rq queues it uses, in order of priority; the first is the default.
        connection: a `redis.Redis` that exists, instead of a url.
        serializer: how arguments and results are written. `pickle` only where every process
            that can write to this Redis is trusted: reading it runs what it says.
        trusted_modules: modules whose functions run as jobs without being registered, with
            arguments as they are: for rq functions that exist. Text from HTTP never names them.
        settings: instead of what the environment says.

    Attributes:
        tasks: the registered tasks by name.
        names: the queues, in order of priority.
        serializer: how arguments and results are written.

    Raises:
        ConfigurationError: an argument cannot be used.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        queues: Sequence[str] = (DEFAULT_QUEUE,),
        connection: redis.Redis | None = None,
        serializer: SerializerName = "json",
        trusted_modules: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        connect = connector(url, connection, settings)
        self._runner = Runner(connect, queues, serializer_named(serializer))
        self._registry = Registry(trusted_modules, self._runner)
        self.names, self.serializer = self._runner.queues, self._runner.serializer
        self.tasks = self._registry.named

    def __repr__(self) -> str:
        return f"<TaskQueue {', '.join(self.names)}: {len(self.tasks)} tasks>"

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        keep_none: bool = True,
        **options: Unpack[Options],
    ) -> TaskDecorator: ...
    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        keep_none: bool = True,
        **options: Unpack[Options],
    ) -> Any:
        """Make a function a task: `@queue.task`, or `@queue.task(timeout=30, ...)`.

        Args:
            function: stays callable as it is.
            name: by which HTTP and the command line know it; default: the function's.
            keep_none: False keeps no result where it returned None, which spares Redis a tenth of
                the work and 400 bytes. rq then shows no result; `job.result()` still answers
                None, up to a second later.
            options: what its jobs are enqueued with; see `JobOptions`.

        Raises:
            DuplicateTask: another task has this name.
            TaskNotImportable: no worker could import the function.
            InvalidOption, UnknownQueue: an option cannot be used.
        """
        defaults = merged(JobOptions(), options, self.names)
        if function is not None:
            return self._registry.add(function, name, defaults, keep_none=keep_none)
        return partial(self._registry.add, name=name, defaults=defaults, keep_none=keep_none)

    def resolve(self, path: str) -> AnyTask:
        """The task that a job's dotted path names.

        Raises:
            UnknownTask: it is not registered, and its module not trusted.
        """
        return self._registry.resolve(path)

    @overload
    def enqueue(
        self, task: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]: ...
    @overload
    def enqueue(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Job[R]: ...
    @overload
    def enqueue(self, task: str, /, *args: Any, **kwargs: Any) -> Job[Any]: ...
    def enqueue(self, task: Any, /, *args: Any, **kwargs: Any) -> Job[Any]:
        """Enqueue a call of a task, given itself, by its function, or by its name.

        The same as `task.enqueue(...)`. Options are no arguments here, unlike in rq:
        `queue.enqueue(charge.options(timeout=60), 7)`.

        Raises:
            UnknownTask: it is not registered.
            InvalidArguments: the function's signature or hints refuse the arguments.
        """
        return self._registry.of(task).enqueue(*args, **kwargs)

    @overload
    async def enqueue_async(
        self, task: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue_async(
        self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue_async(self, task: str, /, *args: Any, **kwargs: Any) -> Job[Any]: ...
    async def enqueue_async(self, task: Any, /, *args: Any, **kwargs: Any) -> Job[Any]:
        """Like `enqueue`, without blocking the event loop."""
        return await self._registry.of(task).enqueue_async(*args, **kwargs)

    def enqueue_many(self, specs: Iterable[JobSpec]) -> list[Job[Any]]:
        """Enqueue any number of `task.spec(...)`, in order, up to 500 a call to Redis.

        Each such part is enqueued whole or not at all. After an error the same specs, whose
        ids are fixed, can be given again: none is enqueued twice.
        """
        return self._runner.blocking("enqueue_many_async").drive(self._registry.enqueued(specs))

    async def enqueue_many_async(self, specs: Iterable[JobSpec]) -> list[Job[Any]]:
        """Like `enqueue_many`, without blocking the event loop."""
        return await self._runner.async_store.drive(self._registry.enqueued(specs))

    def job(self, job_id: str) -> Job[Any]:
        """The job of this id, freshly read.

        Raises:
            JobNotFound: there is none.
        """
        stored = self._runner.blocking("job_async").run(steps.read(job_id))
        return self._registry.handle(job_id, stored)

    async def job_async(self, job_id: str) -> Job[Any]:
        """Like `job`, without blocking the event loop."""
        stored = await self._runner.async_store.run(steps.read(job_id))
        return self._registry.handle(job_id, stored)

    def jobs(
        self,
        status: JobStatus,
        *,
        queue: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[JobInfo]:
        """One page of the jobs of a status, newest first, without their arguments and results.

        Args:
            status: which jobs.
            queue: one queue; default: all of this TaskQueue.
            limit: jobs a page, 1 to 1,000.
            cursor: the `next_cursor` of the page before.

        Raises:
            InvalidOption: `limit` or `cursor` cannot be used.
            UnknownQueue: a queue that this TaskQueue does not use.
        """
        page = listing.jobs(self._runner.narrowed(queue), JobStatus(status), limit, cursor)
        return self._runner.blocking("jobs_async").drive(page)

    async def jobs_async(
        self,
        status: JobStatus,
        *,
        queue: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[JobInfo]:
        """Like `jobs`, without blocking the event loop."""
        page = listing.jobs(self._runner.narrowed(queue), JobStatus(status), limit, cursor)
        return await self._runner.async_store.drive(page)

    def counts(self, *, queue: str | None = None) -> dict[JobStatus, int]:
        """How many jobs are in each status, stopped ones among the failed.

        Args:
            queue: one queue; default: all of this TaskQueue.

        Raises:
            UnknownQueue: a queue that this TaskQueue does not use.
        """
        totals = listing.totals(self._runner.narrowed(queue))
        return self._runner.blocking("counts_async").drive(totals)

    async def counts_async(self, *, queue: str | None = None) -> dict[JobStatus, int]:
        """Like `counts`, without blocking the event loop."""
        totals = listing.totals(self._runner.narrowed(queue))
        return await self._runner.async_store.drive(totals)

    def cancel(self, job_id: str) -> JobStatus:
        """Cancel a job, or stop it where it runs; see `Job.cancel`."""
        return self._registry.unread(job_id).cancel()

    async def cancel_async(self, job_id: str) -> JobStatus:
        """Like `cancel`, without blocking the event loop."""
        return await self._registry.unread(job_id).cancel_async()

    def retry(self, job_id: str) -> Job[Any]:
        """Put a job that has ended back into its queue; see `Job.retry`."""
        return self.job(job_id).retry()

    async def retry_async(self, job_id: str) -> Job[Any]:
        """Like `retry`, without blocking the event loop."""
        return await (await self.job_async(job_id)).retry_async()

    def result(self, job_id: str, timeout: float | None = None) -> Any:
        """Wait for a job's end and answer with what its task returned; see `Job.result`."""
        return self.job(job_id).result(timeout)

    async def result_async(self, job_id: str, timeout: float | None = None) -> Any:
        """Like `result`, without blocking the event loop."""
        return await (await self.job_async(job_id)).result_async(timeout)

    @property
    def rq(self) -> RqQueue:
        """rq's own object for the first queue."""
        return self.rq_queue(self.names[0])

    def rq_queue(self, name: str) -> RqQueue:
        """rq's own object for a queue, with our serializer.

        Raises:
            UnknownQueue: a queue that this TaskQueue does not use.
        """
        (known,) = self._runner.narrowed(name)
        return rq_queue(known, self.source.client(), self.serializer)

    def rq_job(self, job_id: str) -> RqJob:
        """rq's own object for a job.

        Raises:
            JobNotFound: there is none.
        """
        return rq_job(job_id, self.source.client(), self.serializer)

    @property
    def source(self) -> Source:
        """Where Redis is."""
        return self._runner.source

    @property
    def store(self) -> Store:
        """Runs steps for synchronous code."""
        return self._runner.store

    @property
    def async_store(self) -> AsyncStore:
        """Runs steps on the running event loop."""
        return self._runner.async_store

    def diverted(self, source: Source) -> AbstractContextManager[None]:
        """Speak to another Redis within a `with` block: for tests, see `msgqueue.testing`."""
        return self._runner.diverted(source)

    def close(self) -> None:
        """Close the synchronous connections; a later use opens new ones."""
        self._runner.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop, and the synchronous ones."""
        await self._runner.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
