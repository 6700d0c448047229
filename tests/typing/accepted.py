"""What a type checker must accept; mypy reads it with the tests, nothing runs it."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, assert_type

from msgqueue import AsyncTask, Job, JobInfo, JobStatus, Page, Retry, Task, TaskQueue, current_job
from msgqueue.testing import fake

queue = TaskQueue("redis://localhost", queues=("high", "default"))


@queue.task
def charge(order: int, *, cents: int = 5) -> str:
    return f"{order}: {cents}"


@queue.task
async def fetch(url: str) -> int:
    return len(url)


@queue.task(timeout=30, retry=Retry(max=3, backoff=2.0))
def with_options(order: int) -> str:
    return str(order)


@queue.task(name="later", at=datetime.now(UTC))
async def coroutine_with_options(order: int) -> str:
    return str(order)


def plain(order: int) -> str:
    return str(order)


def a_decorated_function_is_a_task() -> None:
    task: Task[[int], str] = with_options
    coroutine_task: AsyncTask[[int], str] = coroutine_with_options
    assert_type(task.enqueue(7), Job[str])
    assert_type(coroutine_task.enqueue(7), Job[str])


def a_task_is_still_its_function() -> None:
    assert_type(charge(7, cents=5), str)
    called: Callable[[int], str] = with_options
    called(7)


async def a_coroutine_task_is_awaited() -> None:
    coroutine: Coroutine[Any, Any, int] = fetch("x")
    assert_type(await coroutine, int)


def a_job_knows_its_result() -> None:
    job = charge.enqueue(7, cents=5)
    assert_type(job, Job[str])
    assert_type(job.result(timeout=5), str)
    assert_type(fetch.enqueue("x").result(), int)
    assert_type(job.cancel(), JobStatus)
    assert_type(job.refresh(), Job[str])


async def its_twins_know_it_too() -> None:
    job = await charge.enqueue_async(7)
    assert_type(job, Job[str])
    assert_type(await job.result_async(), str)
    assert_type(await (await fetch.enqueue_async("x")).result_async(timeout=5), int)
    assert_type(await queue.enqueue_async(fetch, "x"), Job[int])


def options_keep_the_type() -> None:
    changed = charge.options(delay=60, job_id="order-8", queue="high", unique=True)
    assert_type(changed.enqueue(8, cents=500), Job[str])


def the_queue_takes_tasks_functions_and_names() -> None:
    assert_type(queue.enqueue(charge, 7, cents=5), Job[str])
    assert_type(queue.enqueue(fetch, "x"), Job[int])
    assert_type(queue.enqueue(plain, 7), Job[str])
    assert_type(queue.enqueue("charge", 7, cents=5), Job[Any])
    assert_type(queue.enqueue_many(charge.spec(n) for n in range(3)), list[Job[Any]])


def what_is_found_is_typed() -> None:
    assert_type(queue.job("id"), Job[Any])
    assert_type(queue.jobs(JobStatus.FAILED, limit=50), Page[JobInfo])
    assert_type(queue.counts(), dict[JobStatus, int])
    assert_type(current_job(), Job[Any] | None)


def a_fake_gives_a_worker() -> None:
    with fake(queue) as worker:
        assert_type(worker.drain(), int)
