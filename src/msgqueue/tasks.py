"""A task: a function, the options of its jobs, and how a call of it becomes a job."""

import inspect
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack, cast, overload

from msgqueue.errors import InvalidArguments, InvalidOption, PayloadTooLarge
from msgqueue.job import Job
from msgqueue.jobs import Enqueued, JobOptions, JobSpec
from msgqueue.options import RQ_HABITS, Options, merged
from msgqueue.paths import dotted_path
from msgqueue.runner import Runner
from msgqueue.settings import DEFAULT_TIMEOUT, MAX_PAYLOAD
from msgqueue.signatures import Arguments, Signature
from msgqueue.store import steps

P = ParamSpec("P")
R = TypeVar("R")

RUN_JSON = ".run_json"  # the attribute that a plain rq worker calls, behind a task's path
SHOWN = 64  # characters of an argument in a job's description
_SHOWN = frozenset({str, bytes, int, float, bool, type(None), list, tuple, dict})


class Task(Generic[P, R]):
    """A function whose calls can be jobs. Made by `@queue.task`; calling it runs the function.

    Attributes:
        name: by which HTTP, the command line and `queue.enqueue("...")` know it.
        function: the function itself.
        defaults: the options of its jobs; `options(...)` changes them for some calls.
        import_path: the function's dotted path.
        keep_none: whether a None that it returns is kept as a result, as rq keeps it.
    """

    is_async = False

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        defaults: JobOptions,
        runner: Runner,
        *,
        checked: bool = True,
        keep_none: bool = True,
    ) -> None:
        update_wrapper(self, function)
        self.name, self.function = name, function
        self.import_path = dotted_path(function)
        self.keep_none = keep_none
        self._runner, self._checked = runner, checked
        self._signature = Signature(name, function)
        self._set(defaults)

    def __repr__(self) -> str:
        return f"<Task {self.name}: {self.import_path}>"

    def __reduce__(self) -> str:
        """Pickled by reference, as a function is, so that rq can be given the task itself."""
        return self.function.__qualname__

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here and now, without a job."""
        return cast(R, self.function(*args, **kwargs))

    def enqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Have a worker call the function; when this returns, the job is in Redis.

        It then runs at least once, whatever process dies. Where the connection is lost on the
        way it is sent again, and enqueued once.

        Raises:
            InvalidArguments: the function's signature or hints refuse the arguments.
            PayloadTooLarge: they take more than 1 MiB.
            RedisUnavailable, QueueFull: the job may not be in Redis.
        """
        spec = self._spec(args, kwargs)
        (enqueued,) = self._runner.blocking("task.enqueue_async").run(steps.enqueue((spec,)))
        is_new = enqueued.created and not self.defaults.job_id
        return self.job(enqueued, is_new=is_new)

    async def enqueue_async(self, /, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Like `enqueue`, without blocking the event loop."""
        spec = self._spec(args, kwargs)
        (enqueued,) = await self._runner.async_store.run(steps.enqueue((spec,)))
        return self.job(enqueued)

    def spec(self, /, *args: P.args, **kwargs: P.kwargs) -> JobSpec:
        """A job that is not yet enqueued, for `queue.enqueue_many`.

        Raises:
            InvalidArguments: the function's signature or hints refuse the arguments.
            PayloadTooLarge: they take more than 1 MiB.
        """
        return self._spec(args, kwargs)

    def options(self, **options: Unpack[Options]) -> Self:
        """This task with other options: `charge.options(delay=60).enqueue(...)`.

        Raises:
            InvalidOption: one is unknown, out of range, or excludes another.
            UnknownQueue: a queue that the TaskQueue does not name.
        """
        task = object.__new__(type(self))
        task.__dict__.update(self.__dict__)
        task._set(merged(self.defaults, options, self._runner.queues))
        return task

    def belongs_to(self, runner: Runner) -> bool:
        """Whether it is a task of the TaskQueue that lent this runner."""
        return self._runner is runner

    @cached_property
    def path(self) -> str:
        """The dotted path in rq's data, which a plain rq worker can import and call."""
        return self.import_path if self._travels_as_is else self.import_path + RUN_JSON

    def run_json(self, /, *args: Any, **kwargs: Any) -> Any:
        """What a plain rq worker calls: arguments and result in JSON's own types."""
        args, kwargs = self._signature.from_json(args, kwargs)
        return self._signature.result_to_json(self.function(*args, **kwargs))

    def decode(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """The arguments of a call, from what the serializer read.

        Raises:
            InvalidArguments: they are not what the hints say.
        """
        if self._travels_as_is:
            return tuple(args), dict(kwargs)
        return self._signature.from_json(args, kwargs)

    def encode_result(self, value: Any) -> bytes:
        """What the function returned, in the serializer's bytes.

        Raises:
            TypeError, ValueError: it cannot be written.
        """
        if not self._travels_as_is:
            value = self._signature.result_to_json(value)
        return self._runner.serializer.dumps(value)

    def decode_result(self, value: bytes) -> R:
        """What the function returned, from the serializer's bytes; b"" is None.

        Raises:
            ValueError: the bytes are not what the hints say.
        """
        read = self._runner.serializer.loads(value) if value else None
        return cast(R, read if self._travels_as_is else self._signature.result_from_json(read))

    def job(self, enqueued: Enqueued, *, is_new: bool = False) -> Job[R]:
        """The handle of a job of this task; `is_new`: nobody had used its id before."""
        return Job(enqueued.id, self._runner, self.decode_result, enqueued.status, is_new=is_new)

    @cached_property
    def _travels_as_is(self) -> bool:
        pickled = self._runner.serializer.name != "json"
        return pickled or not self._checked or self._signature.plain

    def _set(self, options: JobOptions) -> None:
        """Make these the options of its jobs, and work out once what all of them share."""
        self.defaults = options
        self._terms = (
            self.name,
            options.queue or self._runner.queues[0],
            int(options.timeout or DEFAULT_TIMEOUT),
            options.result_ttl,
            options.failure_ttl,
            options.retry,
            self._runner.serializer.dumps(dict(options.meta)) if options.meta else None,
            options.max_deliveries,
            options.front,
            options.unique,
        )

    def _spec(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> JobSpec:
        options, created_at = self.defaults, datetime.now(UTC)
        args, kwargs = self._encoded(args, kwargs)
        return JobSpec(
            options.job_id or new_id(),
            self._data(args, kwargs),
            options.description or self._call_text(args, kwargs),
            created_at,
            *self._terms,
            _due(options, created_at),
        )

    def _encoded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """The arguments, checked, and in JSON's own types where the serializer is JSON."""
        if not self._checked:
            return args, kwargs
        try:
            args, kwargs = self._signature.check(args, kwargs)
        except InvalidArguments:
            self._refuse_habits(kwargs)
            raise
        return (args, kwargs) if self._travels_as_is else self._signature.to_json(args, kwargs)

    def _data(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """rq's serialized call."""
        try:
            data = self._runner.serializer.dumps((self.path, None, args, kwargs))
        except (TypeError, ValueError, RecursionError) as error:
            cure = f"{error}. Annotate the parameter with its type, so that it can be written"
            raise InvalidArguments(self.name, [{"loc": ("arguments",), "msg": cure}]) from error
        if len(data) > MAX_PAYLOAD:
            raise PayloadTooLarge(self.name, len(data), MAX_PAYLOAD)
        return data

    def _refuse_habits(self, kwargs: Mapping[str, Any]) -> None:
        """Tell whoever passes rq's options among the arguments where they go here."""
        for habit in RQ_HABITS.keys() & kwargs.keys() - self._signature.parameters.keys():
            value = kwargs[habit]
            cure = f"use .options({RQ_HABITS[habit]}={value!r}) before .enqueue(...)"
            raise InvalidOption(habit, value, cure)

    def _call_text(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The call as lists and dashboards show it, long arguments shortened."""
        told = [_short(value) for value in args]
        told += [f"{name}={_short(value)}" for name, value in kwargs.items()]
        return f"{self.import_path}({', '.join(told)})"


class AsyncTask(Task[P, R]):
    """A task of a coroutine function; many of its jobs run at once in one worker process."""

    is_async = True

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:  # type: ignore[override] # the one difference
        """The function's coroutine, without a job."""
        return cast(Coroutine[Any, Any, R], self.function(*args, **kwargs))

    async def run_json(self, /, *args: Any, **kwargs: Any) -> Any:
        """What a plain rq worker calls: arguments and result in JSON's own types."""
        args, kwargs = self._signature.from_json(args, kwargs)
        return self._signature.result_to_json(await self.function(*args, **kwargs))


class TaskDecorator(Protocol):
    """What `@queue.task(...)` with options returns."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


def make_task(
    function: Callable[..., Any],
    name: str,
    defaults: JobOptions,
    runner: Runner,
    *,
    checked: bool = True,
    keep_none: bool = True,
) -> Task[..., Any]:
    """A task of the kind that the function is.

    Args:
        function: see Task.
        name: see Task.
        defaults: see Task.
        runner: what its jobs run their steps through.
        checked: False passes arguments and result on as they are, as rq does.
        keep_none: see Task.
    """
    kind = AsyncTask if inspect.iscoroutinefunction(function) else Task
    return kind(function, name, defaults, runner, checked=checked, keep_none=keep_none)


def new_id() -> str:
    """A random id, a UUID as rq makes them: half the cost of `uuid.uuid4`."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def called_path(path: str, instance: object) -> str:
    """The dotted path of what rq's data calls, also where it is a task that rq was given itself."""
    return instance.import_path if path == "__call__" and isinstance(instance, Task) else path


def _due(options: JobOptions, now: datetime) -> float | None:
    if options.at is not None:
        return options.at.timestamp()
    return now.timestamp() + options.delay if options.delay else None


def _short(value: Any) -> str:
    if type(value) not in _SHOWN:
        return f"<{type(value).__name__}>"
    if isinstance(value, str | bytes):
        value = value[:SHOWN]
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
