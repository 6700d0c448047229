"""The testing kit: a user's tasks without any server."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from tests import shop
from tests.shop import charge, fails, fetch

from msgqueue import JobFailed, JobStatus, Retry
from msgqueue.testing import InlineWorker, fake


@pytest.fixture
def worker() -> Iterator[InlineWorker]:
    with fake(shop.queue) as worker:
        yield worker


def test_a_job_runs_when_the_worker_is_told_to(worker: InlineWorker) -> None:
    job = charge.enqueue(7, cents=5)

    assert job.refresh().status == JobStatus.QUEUED
    assert worker.drain() == 1
    assert job.result(timeout=0) == "7: 5 (none)"


def test_jobs_run_in_the_order_of_their_queues(worker: InlineWorker) -> None:
    low, high = (charge.options(queue=name).enqueue(1, cents=1) for name in ("default", "high"))

    worker.drain()

    first, second = (shop.queue.rq_job(job.id) for job in (high, low))
    assert first.ended_at is not None
    assert second.started_at is not None
    assert first.ended_at <= second.started_at


def test_a_failing_job_fails_as_in_a_worker(worker: InlineWorker) -> None:
    job = fails.enqueue("no")
    worker.drain()

    with pytest.raises(JobFailed, match="ValueError: no") as failed:
        job.result(timeout=0)
    assert "testing.py" not in failed.value.traceback


def test_a_retry_runs_in_the_same_drain(worker: InlineWorker) -> None:
    shop.FAILED.clear()
    job = shop.fails_once.options(retry=Retry(max=1)).enqueue()

    assert worker.drain() == 2
    assert job.result(timeout=0) == "second time"


def test_a_retry_with_a_pause_stays_scheduled(worker: InlineWorker) -> None:
    job = fails.options(retry=Retry(max=1, backoff=60)).enqueue("no")

    assert worker.drain() == 1
    assert job.refresh().status == JobStatus.SCHEDULED


def test_a_job_whose_time_has_come_runs(worker: InlineWorker) -> None:
    job = charge.options(delay=0.05).enqueue(7, cents=5)

    assert worker.drain() == 0
    time.sleep(0.06)  # Redis's own clock must pass it
    assert worker.drain() == 1
    assert job.result(timeout=0) == "7: 5 (none)"


def test_a_coroutine_task_runs_too(worker: InlineWorker) -> None:
    job = fetch.enqueue("abc")

    worker.drain()

    assert job.result(timeout=0) == 3


def test_a_time_limit_holds(worker: InlineWorker) -> None:
    job = shop.sleeps.options(timeout=1).enqueue(30)

    worker.drain()

    with pytest.raises(JobFailed, match="the job ran longer than its time limit of 1 s"):
        job.result(timeout=0)


def test_the_alarm_handler_of_the_test_is_left_as_it_was(worker: InlineWorker) -> None:
    before = signal.getsignal(signal.SIGALRM)

    worker.drain()

    assert signal.getsignal(signal.SIGALRM) is before


def test_it_drains_in_a_thread_too(worker: InlineWorker) -> None:
    job = charge.enqueue(7, cents=5)
    thread = threading.Thread(target=worker.drain)
    thread.start()
    thread.join()

    assert job.result(timeout=0) == "7: 5 (none)"


def test_every_block_begins_empty() -> None:
    with fake(shop.queue):
        charge.enqueue(7, cents=5)
    with fake(shop.queue) as worker:
        assert worker.drain() == 0


def test_the_queue_speaks_to_its_own_redis_again_after_the_block() -> None:
    before = shop.queue.source

    with fake(shop.queue):
        assert shop.queue.source is not before
    assert shop.queue.source is before


def test_a_flushed_redis_does_not_stop_the_worker(worker: InlineWorker) -> None:
    worker.drain()
    shop.queue.source.client().flushall()
    job = charge.enqueue(7, cents=5)

    worker.drain()

    assert job.result(timeout=0) == "7: 5 (none)"


@pytest.mark.anyio
async def test_it_works_in_an_event_loop() -> None:
    async with fake(shop.queue) as worker:
        job = await fetch.enqueue_async("abc")
        sync_job = await charge.enqueue_async(7, cents=5)

        assert await worker.drain_async() == 2

        assert await job.result_async(timeout=0) == 3
        assert await sync_job.result_async(timeout=1) == "7: 5 (none)"


@pytest.mark.anyio
async def test_a_synchronous_drain_in_an_event_loop_runs_coroutines_too() -> None:
    async with fake(shop.queue) as worker:
        job = await fetch.enqueue_async("abc")

        assert worker.drain() == 1
        assert await job.result_async(timeout=0) == 3


def test_each_run_of_asyncio_may_use_the_block(worker: InlineWorker) -> None:
    jobs = [asyncio.run(fetch.enqueue_async("x" * n)) for n in range(3)]

    worker.drain()

    assert [job.result(timeout=0) for job in jobs] == [0, 1, 2]


def test_what_has_no_json_fails_as_in_a_worker(worker: InlineWorker) -> None:
    jobs = [shop.returns_a_set.enqueue(), shop.returns_nonsense.enqueue()]

    worker.drain()

    assert [job.refresh().status for job in jobs] == [JobStatus.FAILED, JobStatus.FAILED]
