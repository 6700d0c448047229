"""The public surface: what it names, that it is documented, and that twins are twins."""

import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import msgqueue
from msgqueue import AsyncTask, Job, Task, TaskQueue
from msgqueue.testing import InlineWorker, fake

PUBLIC = {name: getattr(msgqueue, name) for name in msgqueue.__all__}
CLASSES = [TaskQueue, Task, AsyncTask, Job, InlineWorker]


def methods(owner: type) -> Iterator[tuple[str, Any]]:
    for name, member in inspect.getmembers(owner):
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            yield name, member


def twins() -> Iterator[tuple[type, str]]:
    for owner in (TaskQueue, Task, Job):
        for name, _ in methods(owner):
            if name.endswith("_async"):
                yield owner, name.removesuffix("_async")


def test_all_is_sorted_and_without_doubles() -> None:
    assert sorted(set(msgqueue.__all__)) == msgqueue.__all__


@pytest.mark.parametrize("name", msgqueue.__all__)
def test_a_public_name_has_a_docstring_of_its_own(name: str) -> None:
    assert PUBLIC[name].__doc__
    assert not PUBLIC[name].__doc__.startswith(f"{name}(")  # what dataclasses write


@pytest.mark.parametrize(
    ("owner", "name"),
    [(owner, name) for owner in CLASSES for name, _ in methods(owner)],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_public_method_has_a_docstring(owner: type, name: str) -> None:
    assert getattr(owner, name).__doc__


def test_the_testing_kit_is_documented() -> None:
    assert fake.__doc__


@pytest.mark.parametrize(
    ("owner", "name"), list(twins()), ids=lambda one: getattr(one, "__name__", one)
)
def test_twins_take_the_same_and_answer_the_same(owner: type, name: str) -> None:
    sync, twin = getattr(owner, name), getattr(owner, f"{name}_async")

    assert inspect.signature(sync) == inspect.signature(twin)
    assert inspect.iscoroutinefunction(twin)
    assert not inspect.iscoroutinefunction(sync)


def test_every_method_that_speaks_to_redis_has_a_twin() -> None:
    assert {f"{owner.__name__}.{name}" for owner, name in twins()} == {
        "TaskQueue.cancel", "TaskQueue.counts", "TaskQueue.enqueue", "TaskQueue.enqueue_many",
        "TaskQueue.job", "TaskQueue.jobs", "TaskQueue.result", "TaskQueue.retry",
        "Task.enqueue", "Job.cancel", "Job.refresh", "Job.result", "Job.retry", "Job.update_meta",
    }  # fmt: skip


def test_hints_of_public_callables_can_be_resolved() -> None:
    for owner in (TaskQueue, Task, Job):
        for _, member in methods(owner):
            typing.get_type_hints(member.fget if isinstance(member, property) else member)


def test_importing_it_brings_neither_the_server_nor_the_command_line() -> None:
    code = (
        "import sys, msgqueue;"
        "print([name for name in ('fastapi', 'typer', 'flask', 'fakeredis', 'rich')"
        " if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "[]\n"
