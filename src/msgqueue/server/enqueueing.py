"""Enqueues a call that came over HTTP: a registered task by its name, nothing else."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from msgqueue.errors import InvalidArguments
from msgqueue.job import Job
from msgqueue.tasks import Task


async def enqueue(
    task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> Job[Any]:
    """Enqueue the call; errors in arguments point into the request's body.

    Raises:
        InvalidArguments: each problem's `loc` starts at /body.
    """
    try:
        return await task.options(**options).enqueue_async(*args, **kwargs)
    except InvalidArguments as error:
        places = _places(task, len(args))
        problems = [
            {**problem, "loc": _located(tuple(problem["loc"]), places, kwargs)}
            for problem in error.problems
        ]
        raise InvalidArguments(error.task, problems) from error


def _places(task: Task[..., Any], count: int) -> dict[str, int]:
    """Which positional argument went to which parameter."""
    names = list(inspect.signature(task.function).parameters)
    return {name: index for index, name in enumerate(names[:count])}


def _located(
    loc: tuple[Any, ...], places: Mapping[str, int], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    name, *rest = loc or ("",)
    if name in kwargs or name not in places:
        return ("body", "kwargs", name, *rest)
    return ("body", "args", places[name], *rest)
