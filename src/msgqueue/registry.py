"""Which functions may run as jobs: the registered tasks, and those of trusted modules."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from msgqueue.errors import (
    ConfigurationError,
    DuplicateTask,
    JobNotFound,
    TaskNotImportable,
    UnknownTask,
)
from msgqueue.job import Job
from msgqueue.jobs import Enqueued, JobOptions, JobSpec, JobStatus
from msgqueue.paths import dotted_path
from msgqueue.runner import Runner
from msgqueue.store import operations, steps
from msgqueue.store.messages import Stored
from msgqueue.store.operations import Ahead, Operation
from msgqueue.tasks import RUN_JSON, Task, make_task

AnyTask = Task[..., Any]
NAME: Final = re.compile(r"[\w.-]{1,128}")


class Registry:
    """The tasks of one TaskQueue.

    Args:
        trusted_modules: modules whose own functions may run without being registered.
        runner: what tasks made here run their steps through.

    Raises:
        ConfigurationError: `trusted_modules` is text.
    """

    def __init__(self, trusted_modules: Sequence[str], runner: Runner) -> None:
        if isinstance(trusted_modules, str):
            raise ConfigurationError(
                f"trusted_modules={trusted_modules!r} is text: give a tuple of names of modules"
            )
        self._trusted_modules, self._runner = tuple(trusted_modules), runner
        self._named: dict[str, AnyTask] = {}
        self._placed: dict[str, AnyTask] = {}
        self._trusted: dict[str, AnyTask] = {}

    @property
    def named(self) -> Mapping[str, AnyTask]:
        """The registered tasks by name."""
        return MappingProxyType(self._named)

    def add(
        self,
        function: Callable[..., Any],
        name: str | None,
        defaults: JobOptions,
        *,
        keep_none: bool = True,
    ) -> AnyTask:
        """Register a function.

        Raises:
            DuplicateTask: another one has this name.
            ConfigurationError: the name cannot be used.
            TaskNotImportable: no worker could import the function.
        """
        if isinstance(function, Task):  # of another TaskQueue
            function = function.function
        task = make_task(
            function, name or _name(function), defaults, self._runner, keep_none=keep_none
        )
        if not NAME.fullmatch(task.name):
            raise ConfigurationError(
                f"no task can be named {task.name!r}: use letters, digits, '_', '-' and '.'"
            )
        if task.name in self._named:
            first = self._named[task.name].import_path
            raise DuplicateTask(task.name, first, task.import_path)
        self._named[task.name] = self._placed[task.import_path] = task
        return task

    def of(self, function: Callable[..., Any] | str) -> AnyTask:
        """The task that is given itself, by its function, or by its name.

        Text names registered tasks only, since it may come from the network.

        Raises:
            UnknownTask: it is not registered, and its module not trusted.
        """
        if isinstance(function, Task):
            if not function.belongs_to(self._runner):
                raise UnknownTask(function.import_path, self._named)
            return function
        if isinstance(function, str):
            return task_named(self._named, function)
        return self.resolve(dotted_path(function))

    def resolve(self, path: str) -> AnyTask:
        """The task that a dotted path in rq's data names.

        Raises:
            UnknownTask: it is not registered, and its module not trusted.
        """
        path = path.removesuffix(RUN_JSON)
        task = self._placed.get(path) or self._trusted.get(path)
        if task is None:
            task = self._trusted[path] = self._trust(path)
        return task

    def handle(self, job_id: str, stored: Stored | None) -> Job[Any]:
        """The handle of a job that was read, whose result is decoded as its task says.

        Raises:
            JobNotFound: nothing was found.
        """
        if stored is None:
            raise JobNotFound(job_id, self._runner.source.address)
        task = self._named.get(stored.info.task)
        decode = task.decode_result if task else self._runner.decode_plain
        return Job(job_id, self._runner, decode, stored.info.status, stored.info)

    def unread(self, job_id: str) -> Job[Any]:
        """A handle of which nothing but the id is known."""
        return Job(job_id, self._runner, self._runner.decode_plain, JobStatus.QUEUED)

    def enqueued(self, specs: Iterable[JobSpec]) -> Operation[list[Job[Any]]]:
        """Enqueues specs, a bounded part at a time, and answers with their handles.

        While Redis is at work on one part, the next one is read from `specs`.

        Raises:
            UnknownTask: a spec is of a task that is not registered; its part is not enqueued.
        """
        jobs: list[Job[Any]] = []
        parts = Ahead(operations.chunks(specs))
        while part := parts.take():
            tasks = [self._of_spec(spec) for spec in part]
            answers: tuple[Enqueued, ...] = yield steps.enqueue(part, parts.make)
            pairs = zip(tasks, answers, strict=True)
            jobs += [task.job(enqueued) for task, enqueued in pairs]
        return jobs

    def _of_spec(self, spec: JobSpec) -> AnyTask:
        task = self._named.get(spec.task) or self._trusted.get(spec.task)
        if task is None:
            raise UnknownTask(spec.task, self._named)
        return task

    def _trust(self, path: str) -> AnyTask:
        module_name, _, name = path.rpartition(".")
        if module_name not in self._trusted_modules:
            raise UnknownTask(path, self._named)
        function = getattr(import_module(module_name), name, None)
        if isinstance(function, Task):  # of another TaskQueue
            return make_task(function.function, path, function.defaults, self._runner)
        own = callable(function) and getattr(function, "__module__", None) == module_name
        if function is None or not own:
            raise UnknownTask(path, self._named)
        return make_task(function, path, JobOptions(), self._runner, checked=False)


def task_named(tasks: Mapping[str, AnyTask], name: str) -> AnyTask:
    """The registered task of that name: text from the network never names code.

    Raises:
        UnknownTask: none has this name.
    """
    task = tasks.get(name)
    if task is None:
        raise UnknownTask(name, tasks)
    return task


def _name(function: Callable[..., Any]) -> str:
    try:
        return function.__name__
    except AttributeError:
        raise TaskNotImportable(repr(function), "it has no name of its own") from None
