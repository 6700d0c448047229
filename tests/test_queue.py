"""TaskQueue on a real server: what it writes, finds and refuses; each case through both twins."""

import asyncio
import logging
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from tests import shop
from tests.conftest import Both
from tests.shop import charge, fails, fetch

from msgqueue import (
    ConfigurationError,
    InvalidOption,
    JobFailed,
    JobNotFound,
    JobStatus,
    RedisRefused,
    RedisUnavailable,
    Settings,
    TaskQueue,
    UnknownQueue,
    UnknownTask,
)
from msgqueue.connection import Source
from msgqueue.jobs import JobSpec
from msgqueue.store.listing import write_cursor
from msgqueue.testing import InlineWorker

# -- Enqueueing


def test_a_job_is_in_its_queue_when_enqueue_returns(queue: TaskQueue, both: Both) -> None:
    job = both(charge, "enqueue", 7, cents=5)

    assert (job.status, queue.rq_queue("high").job_ids) == (JobStatus.QUEUED, [job.id])


def test_rq_reads_the_arguments(queue: TaskQueue, both: Both) -> None:
    job = both(charge, "enqueue", 7, cents=5)

    rq_job = queue.rq_job(job.id)
    assert (rq_job.func_name, rq_job.args, rq_job.kwargs) == (
        "tests.shop.charge",
        [7],
        {"cents": 5},
    )


@pytest.mark.parametrize("named", [charge, charge.function, "charge"])
def test_a_task_is_named_by_itself_its_function_or_its_name(
    queue: TaskQueue, both: Both, named: Any
) -> None:
    job = both(queue, "enqueue", named, 7, cents=5)

    assert both(queue, "job", job.id).info.task == "charge"


@pytest.mark.parametrize("named", ["no_such_task", "tests.shop.charge", shop.plain])
def test_what_is_not_registered_is_refused_with_the_cure(
    queue: TaskQueue, both: Both, named: Any
) -> None:
    with pytest.raises(UnknownTask, match=r"Decorate the function with @queue\.task"):
        both(queue, "enqueue", named, 7)


def test_a_task_of_another_task_queue_is_refused(queue: TaskQueue, both: Both) -> None:
    stranger = TaskQueue().task(shop.plain)

    with pytest.raises(UnknownTask, match=r"no task 'tests\.shop\.plain' is registered"):
        both(queue, "enqueue", stranger, 7)
    with pytest.raises(UnknownTask, match="no task 'plain' is registered"):
        both(queue, "enqueue_many", [charge.spec(1, cents=1), stranger.spec(7)])
    assert queue.counts()[JobStatus.QUEUED] == 0


def test_a_misspelt_task_is_guessed(queue: TaskQueue) -> None:
    with pytest.raises(UnknownTask, match="Did you mean 'charge'"):
        queue.enqueue("chargee", 7)


def test_nothing_is_written_for_a_call_that_is_refused(queue: TaskQueue, both: Both) -> None:
    with pytest.raises(InvalidOption):
        both(queue, "enqueue", charge, 7, cents=5, job_timeout=5)

    assert queue.source.client().dbsize() == 0


def test_options_decide_queue_and_id(queue: TaskQueue, both: Both) -> None:
    job = both(charge.options(queue="default", job_id="order-8"), "enqueue", 8, cents=5)

    assert (job.id, queue.rq_queue("default").job_ids) == ("order-8", ["order-8"])


def test_a_delayed_job_is_scheduled(queue: TaskQueue, both: Both) -> None:
    job = both(charge.options(delay=60), "enqueue", 8, cents=5)

    assert job.status == JobStatus.SCHEDULED
    assert queue.rq_queue("high").scheduled_job_registry.get_job_ids() == [job.id]


def test_a_job_of_the_same_id_is_enqueued_once(queue: TaskQueue, both: Both) -> None:
    task = charge.options(job_id="once")

    both(task, "enqueue", 1, cents=1)
    both(task, "enqueue", 1, cents=1)

    assert queue.rq_queue("high").job_ids == ["once"]


def test_many_are_enqueued_in_order(queue: TaskQueue, both: Both) -> None:
    jobs = both(queue, "enqueue_many", (charge.spec(n, cents=5) for n in range(1_100)))

    assert queue.rq_queue("high").job_ids == [job.id for job in jobs]
    assert len(jobs) == 1_100


def test_of_many_the_next_part_is_read_while_redis_is_at_work(queue: TaskQueue) -> None:
    client = queue.source.client()

    def calls() -> Iterator[JobSpec]:
        client.client_pause(10_000, all=False)
        yield from (charge.spec(number, cents=5) for number in range(1_000))
        client.client_unpause()

    jobs = queue.enqueue_many(calls())

    assert queue.rq_queue("high").job_ids == [job.id for job in jobs]


def test_what_goes_wrong_behind_a_part_of_many_leaves_that_part(
    queue: TaskQueue, both: Both
) -> None:
    def calls() -> Iterator[JobSpec]:
        yield from (charge.spec(number, cents=5) for number in range(501))
        raise ZeroDivisionError("made by the caller")

    with pytest.raises(ZeroDivisionError, match="made by the caller"):
        both(queue, "enqueue_many", calls())

    assert queue.counts()[JobStatus.QUEUED] == 500
    charge.enqueue(501, cents=5)
    assert queue.counts()[JobStatus.QUEUED] == 501


def test_many_of_nothing_are_none(queue: TaskQueue, both: Both) -> None:
    assert both(queue, "enqueue_many", ()) == []


# -- Finding


def test_a_job_is_found_by_its_id(queue: TaskQueue, both: Both) -> None:
    enqueued = charge.options(meta={"owner": "ann"}).enqueue(7, cents=5)

    job = both(queue, "job", enqueued.id)

    assert (job.status, job.info.queue, job.meta) == ("queued", "high", {"owner": "ann"})


def test_an_unknown_id_is_told_with_the_place(queue: TaskQueue, both: Both) -> None:
    with pytest.raises(JobNotFound, match=rf"no job 'nothing' in {queue.source.address}"):
        both(queue, "job", "nothing")


def test_jobs_are_listed_newest_first_over_all_queues(queue: TaskQueue, both: Both) -> None:
    ids = [
        charge.options(queue=("high", "default")[n % 2]).enqueue(n, cents=5).id for n in range(5)
    ]

    page = both(queue, "jobs", JobStatus.QUEUED)

    assert [job.id for job in page.items] == ids[::-1]
    assert page.next_cursor is None


def test_pages_follow_each_other_by_their_cursor(queue: TaskQueue, both: Both) -> None:
    ids = [charge.enqueue(n, cents=5).id for n in range(5)]
    seen: list[str] = []
    cursor = None

    for _ in range(3):
        page = both(queue, "jobs", "queued", limit=2, cursor=cursor)
        seen += [job.id for job in page.items]
        cursor = page.next_cursor

    assert (seen, cursor) == (ids[::-1], None)


@pytest.mark.parametrize("limit", [0, -1, 1_001, 2.0, True])
def test_a_limit_out_of_range_is_refused(queue: TaskQueue, both: Both, limit: Any) -> None:
    with pytest.raises(InvalidOption, match="it is a whole number from 1 to 1,000"):
        both(queue, "jobs", JobStatus.QUEUED, limit=limit)


def test_a_made_up_cursor_is_refused(queue: TaskQueue, both: Both) -> None:
    with pytest.raises(InvalidOption, match="pass the next_cursor of the page before"):
        both(queue, "jobs", JobStatus.QUEUED, cursor="made-up")


@pytest.mark.parametrize(
    "anchor",
    [("x", "a"), ("nan", "a"), ("1_0", "a"), ("\u0663", "a"), ("1", 7), (1, "a"), ("1", "\ud800")],
)
def test_a_cursor_with_what_redis_reads_not_is_refused(
    queue: TaskQueue, both: Both, anchor: Any
) -> None:
    cursor = write_cursor({"default": anchor, "high": anchor}, JobStatus.FAILED)

    with pytest.raises(InvalidOption, match="pass the next_cursor of the page before"):
        both(queue, "jobs", JobStatus.FAILED, cursor=cursor)


def test_one_queue_is_listed_and_counted_by_its_name(queue: TaskQueue, both: Both) -> None:
    charge.enqueue(1, cents=1)
    job = charge.options(queue="default").enqueue(2, cents=1)

    assert [j.id for j in both(queue, "jobs", "queued", queue="default").items] == [job.id]
    assert both(queue, "counts", queue="default")[JobStatus.QUEUED] == 1
    assert both(queue, "counts")[JobStatus.QUEUED] == 2


@pytest.mark.parametrize("method", ["counts", "jobs"])
def test_a_queue_that_is_not_used_is_refused(queue: TaskQueue, both: Both, method: str) -> None:
    args = (JobStatus.QUEUED,) if method == "jobs" else ()

    with pytest.raises(UnknownQueue, match="no queue 'low' here"):
        both(queue, method, *args, queue="low")


# -- Changing


def test_a_queued_job_is_cancelled(queue: TaskQueue, both: Both) -> None:
    job = charge.enqueue(1, cents=1)

    assert both(queue, "cancel", job.id) == JobStatus.CANCELED
    assert queue.rq_queue("high").job_ids == []


def test_a_job_that_has_ended_keeps_its_status(
    queue: TaskQueue, both: Both, worker: InlineWorker
) -> None:
    job = charge.enqueue(1, cents=1)
    worker.drain()

    assert both(queue, "cancel", job.id) == JobStatus.FINISHED


def test_a_failed_job_is_retried(queue: TaskQueue, both: Both, worker: InlineWorker) -> None:
    job = fails.enqueue("no")
    worker.drain()

    assert both(queue, "retry", job.id).status == JobStatus.QUEUED
    assert queue.rq_queue("high").job_ids == [job.id]


@pytest.mark.parametrize("method", ["job", "cancel", "retry", "result"])
def test_an_id_that_is_no_text_is_refused(queue: TaskQueue, both: Both, method: str) -> None:
    with pytest.raises(RedisRefused, match=r"'\\udcff' is no text that can be sent"):
        both(queue, method, "\udcff")


@pytest.mark.parametrize("method", ["cancel", "retry", "result"])
def test_what_is_not_there_cannot_be_changed(queue: TaskQueue, both: Both, method: str) -> None:
    with pytest.raises(JobNotFound):
        both(queue, method, "nothing")


def test_a_result_is_decoded_by_its_tasks_hint(
    queue: TaskQueue, both: Both, worker: InlineWorker
) -> None:
    now = datetime.now(UTC)
    job = shop.later.enqueue(now, by=timedelta(1))
    worker.drain()

    assert both(queue, "result", job.id, timeout=0) == now + timedelta(1)


# -- rq's own objects


def test_rq_is_the_first_queue(queue: TaskQueue) -> None:
    assert queue.rq.name == "high"


def test_a_job_that_rq_enqueued_is_run(queue: TaskQueue, worker: InlineWorker) -> None:
    rq_job = queue.rq_queue("default").enqueue("tests.shop.charge", 7, cents=5)

    worker.drain()

    assert queue.rq_job(rq_job.id).return_value() == "7: 5 (none)"


def test_a_task_given_to_rq_as_an_object_is_refused_with_the_cure(queue: TaskQueue) -> None:
    with pytest.raises(TypeError, match=r"pass its dotted path, 'tests\.shop\.charge'"):
        queue.rq.enqueue(charge, 7, cents=5)


def test_a_plain_rq_worker_gives_the_same_answers(queue: TaskQueue) -> None:
    now = datetime.now(UTC)
    plain = charge.enqueue(7, cents=5)
    typed = shop.later.enqueue(now, by=timedelta(1))
    failing = fails.enqueue("no")

    subprocess.run(
        [
            *(sys.executable, "-m", "rq.cli", "worker", "--burst", "--url", queue.source.url),
            *("--serializer", "rq.serializers.JSONSerializer", "high"),
        ],
        cwd=Path(__file__).parents[1], capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    assert (plain.result(timeout=0), typed.result(timeout=0)) == ("7: 5 (none)", now + timedelta(1))
    with pytest.raises(JobFailed, match="ValueError: no"):
        failing.result(timeout=0)


def test_a_job_that_rq_enqueued_for_other_code_fails(
    queue: TaskQueue, worker: InlineWorker
) -> None:
    rq_job = queue.rq_queue("default").enqueue("os.getcwd")

    worker.drain()

    with pytest.raises(JobFailed, match=r"UnknownTask: no task 'os\.getcwd' is registered"):
        queue.result(rq_job.id, timeout=0)


# -- Where Redis is


def test_constructing_connects_nowhere() -> None:
    TaskQueue("redis://192.0.2.1:6379")
    TaskQueue()


def test_a_client_that_exists_is_taken(url: str) -> None:
    with redis.Redis.from_url(url) as client, TaskQueue(connection=client) as queue:
        assert queue.counts()[JobStatus.QUEUED] == 0


def test_the_url_of_the_settings_is_taken(url: str) -> None:
    with TaskQueue(settings=Settings(redis_url=url)) as queue:
        assert queue.source.url == url


def test_a_url_and_a_client_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="url and connection exclude each other"):
        TaskQueue("redis://localhost", connection=redis.Redis())


@pytest.mark.parametrize("queues", ["high", (), ("a", "a"), ("a b",), ("",)])
def test_queues_that_cannot_be_used_are_refused(queues: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"queues=|no queue can be named"):
        TaskQueue(queues=queues)


def test_trusted_modules_given_as_text_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="trusted_modules='shop' is text"):
        TaskQueue(trusted_modules="shop")


def test_a_redis_that_is_not_there_is_told_with_its_address() -> None:
    with pytest.raises(RedisUnavailable, match=r"Redis at redis://127\.0\.0\.1:1.* cannot be used"):
        TaskQueue("redis://127.0.0.1:1").counts()


def test_it_can_be_used_again_after_it_was_closed(queue: TaskQueue) -> None:
    charge.enqueue(1, cents=1)
    queue.close()

    assert queue.counts()[JobStatus.QUEUED] == 1


# -- Threads and loops


def test_a_synchronous_call_in_an_event_loop_works_and_names_its_twin_once(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def call_twice(queue: TaskQueue) -> None:
        queue.counts()
        queue.counts()

    with TaskQueue(url) as queue, caplog.at_level(logging.WARNING):
        asyncio.run(call_twice(queue))

    assert caplog.messages == [
        "a synchronous call blocks the running event loop: await counts_async(...) instead"
    ]


def test_threads_may_share_it(queue: TaskQueue) -> None:
    def enqueue() -> None:
        for number in range(50):
            charge.enqueue(number, cents=1)

    threads = [threading.Thread(target=enqueue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert queue.counts()[JobStatus.QUEUED] == 400


def test_event_loops_may_share_it(queue: TaskQueue) -> None:
    async def enqueue() -> int:
        async with queue:
            await fetch.enqueue_async("x")
            return (await queue.counts_async())[JobStatus.QUEUED]

    assert [asyncio.run(enqueue()) for _ in range(3)] == [1, 2, 3]


def test_pickle_travels_to_a_worker_and_back(source: Source) -> None:
    queue = TaskQueue(serializer="pickle")
    task = queue.task(shop.anything.function)

    with queue.diverted(source):
        job = task.enqueue({1, 2}, at=math.inf)
        InlineWorker(queue).drain()

        assert job.result(timeout=0) == [{1, 2}, [], {"at": math.inf}]
