"""A job's handle: waiting for its end, one by one and a thousand at once, and its notes."""

import asyncio
import base64
import gc
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from tests import shop
from tests.conftest import Both, Eventually
from tests.patience import wait_until
from tests.shop import charge, fails, fetch

from msgqueue import (
    DamagedJob,
    Job,
    JobCancelled,
    JobConflict,
    JobFailed,
    JobNotFound,
    JobStatus,
    RedisUnavailable,
    ResultExpired,
    TaskQueue,
    current_job,
)
from msgqueue.store import waiting
from msgqueue.testing import InlineWorker

Soon = Callable[[Callable[[], Any]], None]


@pytest.fixture
def soon(queue: TaskQueue) -> Iterator[Soon]:
    """`soon(act)` does something while the test waits, and is done with it when the test ends."""
    timers: list[threading.Timer] = []

    def start(act: Callable[[], Any]) -> None:
        timers.append(threading.Timer(0.1, act))
        timers[-1].start()

    yield start
    for timer in timers:
        timer.join()


# -- How it ended


def test_a_result_that_is_there_is_answered_at_once(both: Both, worker: InlineWorker) -> None:
    job = charge.enqueue(7, cents=5)
    worker.drain()

    assert both(job, "result", timeout=0) == "7: 5 (none)"
    assert job.status == JobStatus.FINISHED


def test_none_is_a_result(both: Both, worker: InlineWorker) -> None:
    job = shop.nothing.enqueue()
    worker.drain()

    assert both(job, "result", timeout=0) is None


def test_a_result_that_comes_while_waiting_is_answered_without_delay(
    both: Both, soon: Soon, worker: InlineWorker
) -> None:
    job = charge.enqueue(7, cents=5)
    soon(worker.drain)
    began = time.monotonic()

    assert both(job, "result", timeout=5) == "7: 5 (none)"
    assert time.monotonic() - began < waiting.LOOK_AGAIN


def test_the_result_of_a_job_just_enqueued_is_awaited_without_a_look(
    queue: TaskQueue, client: redis.Redis
) -> None:
    charge.enqueue(7, cents=5)  # the script is known from here on
    client.config_resetstat()
    job = charge.enqueue(7, cents=5)
    client.xadd(f"rq:results:{job.id}", {"type": 1, "return_value": base64.b64encode(b'"done"')})

    assert job.result(timeout=5) == "done"

    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1


def test_a_job_that_is_run_again_is_not_answered_by_its_first_result(
    worker: InlineWorker,
) -> None:
    job = charge.enqueue(7, cents=5)
    worker.drain()
    job.retry()

    with pytest.raises(TimeoutError):
        job.result(timeout=0.2)


def test_the_first_success_of_a_job_that_rq_repeats_is_not_its_end(
    both: Both, soon: Soon, queue: TaskQueue, client: redis.Redis
) -> None:
    job = queue.job(charge.enqueue(7, cents=5).id)
    results = f"rq:results:{job.id}"
    client.hset(f"rq:job:{job.id}", "repeats_left", 1)

    def run_twice() -> None:
        client.xadd(results, {"type": 1, "return_value": base64.b64encode(b'"first"')})
        client.xadd(results, {"type": 1, "return_value": base64.b64encode(b'"last"')})
        client.hset(f"rq:job:{job.id}", "status", "finished")

    soon(run_twice)

    assert both(job, "result", timeout=5) == "last"


def test_a_job_that_does_not_end_in_time_goes_on(both: Both) -> None:
    job = charge.enqueue(7, cents=5)

    with pytest.raises(TimeoutError, match=f"job {job.id} has not ended within 0.05 s"):
        both(job, "result", timeout=0.05)
    assert job.refresh().status == JobStatus.QUEUED


def test_a_look_does_not_wait(both: Both) -> None:
    job = charge.enqueue(7, cents=5)
    began = time.monotonic()

    with pytest.raises(TimeoutError, match="has not ended within 0 s"):
        both(job, "result", timeout=0)
    assert time.monotonic() - began < 0.5


def test_a_failure_is_raised_with_type_message_and_traceback(
    both: Both, worker: InlineWorker
) -> None:
    job = fails.enqueue("no such order")
    worker.drain()

    with pytest.raises(JobFailed, match="failed: ValueError: no such order") as failed:
        both(job, "result", timeout=0)
    assert (failed.value.type, failed.value.message) == ("ValueError", "no such order")
    assert "in fails\n    raise ValueError(message)" in failed.value.traceback


def test_a_read_job_tells_how_it_failed(both: Both, worker: InlineWorker) -> None:
    job = fails.enqueue("no such order")
    worker.drain()

    error = both(job, "refresh").error

    assert (error.type, error.message) == ("ValueError", "no such order")


def test_a_job_that_is_cancelled_while_somebody_waits_raises(both: Both, soon: Soon) -> None:
    job = charge.enqueue(7, cents=5)
    soon(job.cancel)

    with pytest.raises(JobCancelled, match=f"job {job.id} has no result: it was canceled"):
        both(job, "result", timeout=5)


def test_a_result_that_is_not_kept_is_told_with_the_cure(
    both: Both, soon: Soon, worker: InlineWorker
) -> None:
    job = charge.options(result_ttl=0).enqueue(7, cents=5)
    soon(worker.drain)

    with pytest.raises(ResultExpired, match=r"Keep it longer: \.options\(result_ttl=seconds\)"):
        both(job, "result", timeout=5)


def test_an_earlier_failure_is_not_the_answer_of_a_job_that_runs_again(
    both: Both, soon: Soon, worker: InlineWorker
) -> None:
    job = shop.fails_once.enqueue()
    shop.FAILED.clear()
    worker.drain()
    job.retry()
    soon(worker.drain)

    assert both(job, "result", timeout=5) == "second time"


def test_a_result_that_is_not_what_the_hint_says_is_damaged(
    both: Both, queue: TaskQueue, worker: InlineWorker
) -> None:
    job = charge.enqueue(7, cents=5)
    worker.drain()
    wrong: Job[Any] = Job(job.id, queue._runner, shop.later.decode_result, job.status)

    with pytest.raises(DamagedJob, match="its result is not what the task's hint says"):
        both(wrong, "result", timeout=0)


def test_a_status_that_nobody_writes_is_damaged(both: Both, client: redis.Redis) -> None:
    job = charge.enqueue(7, cents=5)
    client.hset(f"rq:job:{job.id}", "status", "odd")

    with pytest.raises(DamagedJob, match="unknown status 'odd'"):
        both(job, "result", timeout=1)


# -- Changing it


def test_a_job_that_waits_cannot_be_retried(both: Both) -> None:
    later, waiting = charge.options(delay=60).enqueue(7, cents=5), charge.enqueue(7, cents=5)

    for job, status in ((later, "scheduled"), (waiting, "queued")):
        with pytest.raises(JobConflict, match=f"cannot retry job {job.id}: it is {status}"):
            both(job, "retry")


@pytest.mark.parametrize(
    ("status", "error"),
    [("odd", DamagedJob), ("rate_limited", JobConflict), ("ready_to_enqueue", JobConflict)],
)
def test_a_status_of_somebody_elses_is_told_by_a_retry(
    both: Both, client: redis.Redis, status: str, error: type[Exception]
) -> None:
    job = charge.enqueue(7, cents=5)
    client.hset(f"rq:job:{job.id}", "status", status)

    with pytest.raises(error):
        both(job, "retry")


def test_a_job_that_is_gone_is_told(both: Both, client: redis.Redis) -> None:
    job = charge.enqueue(7, cents=5)
    client.flushdb()

    for method in ("refresh", "cancel", "retry"):
        with pytest.raises(JobNotFound):
            both(job, method)
    with pytest.raises(JobNotFound):
        both(job, "update_meta", {"step": 1})


# -- Its notes


def test_notes_are_added_to_what_is_there(both: Both, queue: TaskQueue) -> None:
    job = charge.options(meta={"owner": "ann"}).enqueue(7, cents=5)

    both(job, "update_meta", {"step": 1})

    assert both(job, "refresh").meta == {"owner": "ann", "step": 1}
    assert queue.rq_job(job.id).meta == {"owner": "ann", "step": 1}


@pytest.mark.parametrize("task", [shop.steps, shop.async_steps])
def test_a_task_notes_its_progress(task: Any, worker: InlineWorker) -> None:
    job = task.enqueue(3)

    worker.drain()

    assert job.refresh().meta == {"step": 3}


def test_outside_of_a_worker_there_is_no_current_job() -> None:
    assert current_job() is None


# -- Many at once


async def blocked(client: redis.Redis) -> None:
    """Wait until somebody waits in Redis."""
    await asyncio.to_thread(wait_until, lambda: client.info("clients")["blocked_clients"])


@pytest.mark.anyio
async def test_a_thousand_that_wait_share_one_connection(
    queue: TaskQueue, client: redis.Redis, worker: InlineWorker
) -> None:
    jobs = [await fetch.enqueue_async("x" * n) for n in range(1_000)]
    waiters = [asyncio.create_task(job.result_async(timeout=30)) for job in jobs]
    await asyncio.sleep(0.2)  # until the reader waits for all of them
    connections = client.info("clients")["connected_clients"]

    await worker.drain_async()

    assert await asyncio.gather(*waiters) == list(range(1_000))
    assert connections < 10
    await queue.aclose()


@pytest.mark.anyio
async def test_who_joins_while_others_wait_is_answered_without_delay(
    queue: TaskQueue, client: redis.Redis, worker: InlineWorker
) -> None:
    never = asyncio.create_task(
        charge.options(delay=600).enqueue(1, cents=1).result_async(timeout=30)
    )
    await blocked(client)
    job = await fetch.enqueue_async("abc")
    joined = asyncio.create_task(job.result_async(timeout=5))
    await asyncio.sleep(0.1)  # until the reader has taken it in
    began = time.monotonic()

    await asyncio.to_thread(worker.drain)

    assert await joined == 3
    assert time.monotonic() - began < 0.7 * waiting.LOOK_AGAIN
    never.cancel()
    await queue.aclose()


def test_an_event_loop_that_ends_leaves_nothing_open(
    queue: TaskQueue, soon: Soon, worker: InlineWorker
) -> None:
    async def result() -> int:
        job = await fetch.enqueue_async("abc")
        soon(worker.drain)
        return await job.result_async(timeout=5)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [asyncio.run(result()) for _ in range(2)] == [3, 3]  # the second forgets the first
        gc.collect()

    assert [str(one.message) for one in told] == []


@pytest.mark.anyio
async def test_after_all_have_given_up_waiting_begins_anew(
    queue: TaskQueue, client: redis.Redis, worker: InlineWorker
) -> None:
    job = await fetch.enqueue_async("abc")
    with pytest.raises(TimeoutError):
        await job.result_async(timeout=0.1)
    again = asyncio.create_task(job.result_async(timeout=5))
    await blocked(client)

    await asyncio.to_thread(worker.drain)

    assert await again == 3
    await queue.aclose()


@pytest.mark.anyio
async def test_waiting_twice_for_one_job_answers_both(
    queue: TaskQueue, client: redis.Redis, worker: InlineWorker
) -> None:
    job = await fetch.enqueue_async("abc")
    waiters = [asyncio.create_task(job.result_async(timeout=5)) for _ in range(2)]
    await blocked(client)

    await asyncio.to_thread(worker.drain)

    assert await asyncio.gather(*waiters) == [3, 3]
    await queue.aclose()


@pytest.mark.anyio
async def test_waiting_survives_the_loss_of_its_connection(
    queue: TaskQueue, client: redis.Redis, worker: InlineWorker, eventually: Eventually
) -> None:
    job = await fetch.enqueue_async("abc")
    waiter = asyncio.create_task(job.result_async(timeout=5))
    await blocked(client)
    assert client.client_kill_filter(skipme=True) > 0

    await asyncio.to_thread(worker.drain)

    assert await waiter == 3
    await queue.aclose()


@pytest.mark.anyio
async def test_closing_ends_the_waiting(queue: TaskQueue, client: redis.Redis) -> None:
    job = await fetch.enqueue_async("abc")
    waiter = asyncio.create_task(job.result_async())
    await blocked(client)

    await queue.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiter


def test_waiting_for_a_redis_that_is_not_there_is_told(both: Both, queue: TaskQueue) -> None:
    away = TaskQueue("redis://127.0.0.1:1")
    job: Job[Any] = Job("some", away._runner, away.serializer.loads, JobStatus.QUEUED)

    with pytest.raises(RedisUnavailable):
        both(job, "result", timeout=10)
