"""What a worker's code cannot carry out is left to others; what a function raises itself is not."""

import asyncio
import json
from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from rq import Callback
from tests.worker.crew import Crew

from msgqueue import JobStatus, TaskQueue
from msgqueue.jobs import Claimed
from msgqueue.worker.endings import Ending
from msgqueue.worker.execution import Execution
from msgqueue.worker.limits import TimeLimit

queue = TaskQueue("redis://192.0.2.1")


def logged(function: Callable[..., int]) -> Callable[..., int]:
    @wraps(function)
    def call(*args: Any) -> int:
        return function(*args)

    return call


@queue.task
def order(number: int, *, cents: int = 0) -> int:
    return number


@queue.task
async def order_later(number: int) -> int:
    return number


@queue.task
def order_on(day: date) -> None:
    return None


@queue.task
@logged
def order_logged(number: int) -> int:
    return number


@queue.task
def order_wrongly() -> None:
    order.function()


@queue.task
async def order_wrongly_later() -> None:
    await order_later.function()


@queue.task
def enqueue_wrongly() -> None:
    order.spec("many")  # type: ignore[arg-type] # what it raises is the point


@queue.task
def add_up(numbers: Any) -> Any:
    return sum(numbers)


HERE = f"{__name__}."


def end(path: str, args: list[Any], kwargs: dict[str, Any], declined: int = 0) -> Ending:
    """How a worker's child ends a job that rq's hash describes so."""
    data = json.dumps([HERE + path, None, args, kwargs]).encode()
    job = Claimed("default", "a", "l.1", data, 30, 1, False, declined)
    execution = Execution(queue, TimeLimit(), "a worker")
    read = execution.read(job)
    if isinstance(read, Ending):
        return read
    if read.task.is_async:
        return asyncio.run(execution.run_async(read, job))
    return execution.run(read, job, 0.0)


@pytest.mark.parametrize(
    ("path", "args", "kwargs", "told"),
    [
        ("order_by_post", [1], {}, "UnknownTask: no task"),
        ("order", [], {}, "TypeError: order() missing 1 required positional argument: 'number'"),
        ("order", [1, 2], {}, "TypeError: order() takes 1 positional argument but 2"),
        ("order", [1], {"dollars": 5}, "got an unexpected keyword argument 'dollars'"),
        ("order_later", [], {}, "TypeError: order_later() missing 1 required positional"),
        ("order_on.run_json", ["2026-11-24"], {"hour": 1}, "unexpected keyword argument 'hour'"),
        ("order_on.run_json", ["some day"], {}, "InvalidArguments: task 'order_on' does not take"),
    ],
)
def test_what_is_not_for_this_code_is_declined(
    path: str, args: list[Any], kwargs: dict[str, Any], told: str
) -> None:
    ending = end(path, args, kwargs)
    assert ending.kind == "declined"
    assert told in ending.value.decode()


@pytest.mark.parametrize(
    ("path", "args", "told"),
    [
        ("order_wrongly", [], "TypeError: order() missing"),
        ("order_wrongly_later", [], "TypeError: order_later() missing"),
        ("enqueue_wrongly", [], "InvalidArguments: task 'order' does not take"),
        ("order_logged", [], "TypeError: order_logged() missing"),
        ("add_up", [["a"]], "TypeError: unsupported operand"),
    ],
)
def test_what_a_function_that_was_entered_raises_is_an_error(
    path: str, args: list[Any], told: str
) -> None:
    ending = end(path, args, {})
    assert ending.kind == "error"
    assert told in ending.value.decode()


def test_only_the_last_offer_tells_how_many_there_were() -> None:
    first, last = (end("order_by_post", [], {}, declined).value.decode() for declined in (0, 5))
    assert "offered" not in first
    assert last.endswith(
        "It was offered to workers 6 times, over more than 60 s:"
        " none that took it could carry it out.\n"
    )


def test_a_declined_job_waits_without_a_failure_and_is_told_of_once(
    crew: Crew, tmp_path: Path
) -> None:
    crew.redis.set("rq:scheduler-lock:default", "another one", ex=300)  # nothing becomes due
    jobs = [
        crew.enqueue_path("tests.worker.app.unknown", 1),
        crew.enqueue_path("tests.worker.app.add", 1),
        crew.enqueue_path("tests.worker.app.nap"),
    ]
    called_back = crew.rq.enqueue(
        "tests.worker.app.add", 1, 2, on_success=Callback("builtins.print")
    )
    jobs.append(crew.queue.job(called_back.id))

    told_in = tmp_path / "told"

    assert crew.start({"TOLD": str(told_in)}, processes=1, burst=True).wait(30) == 0

    assert {job.refresh().status for job in jobs} == {JobStatus.SCHEDULED}
    assert {job.info.attempt for job in jobs if job.info} == {0}
    [worker] = crew.redis.keys("rq:worker:*")
    assert crew.redis.hget(worker, "failed_job_count") in (None, b"0")
    told = [line for line in told_in.read_text().splitlines() if " job=" in line]
    assert len(told) == len(jobs)
    for job, task in zip(
        jobs, ("tests.worker.app.unknown", "add", "nap", "builtins.print"), strict=True
    ):
        [line] = [line for line in told if job.id in line]
        assert " warning job declined " in line
        assert f"task={task} queue=default worker=msgqueue." in line
        assert 'offer="1 of 6" again_in_seconds=2 why=' in line
    assert jobs[0].cancel() is JobStatus.CANCELED
