"""Enqueueing: each job exactly once, in its place, as rq writes it."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, ok, waiting

from msgqueue.errors import RedisRefused
from msgqueue.jobs import Enqueued, JobStatus, Retry
from msgqueue.store import operations, steps
from msgqueue.store.run import Store


def test_a_job_lies_at_the_back_of_its_queue(store: Store, client: redis.Redis, spec: Spec) -> None:
    answer = store.run(steps.enqueue([spec("a"), spec("b")]))
    assert answer == (Enqueued("a", True, JobStatus.QUEUED), Enqueued("b", True, JobStatus.QUEUED))
    assert waiting(client) == ["a", "b"]
    assert client.smembers("rq:queues") == {b"rq:queue:default"}


def test_a_job_at_the_front_is_the_first(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a"), spec("b", front=True)]))
    assert waiting(client) == ["b", "a"]


def test_the_very_same_call_again_changes_nothing(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    step = steps.enqueue([spec("a")])
    assert store.run(step) == store.run(step) == (Enqueued("a", True, JobStatus.QUEUED),)
    assert waiting(client) == ["a"]


def test_a_late_copy_of_a_call_does_not_run_a_job_that_left_nothing_behind(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    step = steps.enqueue([spec("a", result_ttl=0)])
    store.run(step)
    child.work(ok(child.claim()[0]))
    assert not client.exists("rq:job:a")
    assert store.run(step) == (Enqueued("a", True, JobStatus.FINISHED),)
    assert waiting(client) == []


def test_another_call_of_that_id_runs(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", result_ttl=0)]))
    child.work(ok(child.claim()[0]))
    assert store.run(steps.enqueue([spec("a")]))[0].created
    assert waiting(client) == ["a"]


def test_an_id_that_is_alive_is_left_as_it_is(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a")]))
    assert store.run(steps.enqueue([spec("a")])) == (Enqueued("a", False, JobStatus.QUEUED),)
    assert waiting(client) == ["a"]


def test_an_id_twice_in_one_call_is_one_job(store: Store, client: redis.Redis, spec: Spec) -> None:
    once = spec("a")
    again, other = once, spec("a", due=time.time() + 60)
    assert store.run(steps.enqueue([once, spec("b"), again, other])) == (
        Enqueued("a", True, JobStatus.QUEUED),
        Enqueued("b", True, JobStatus.QUEUED),
        Enqueued("a", True, JobStatus.QUEUED),
        Enqueued("a", False, JobStatus.QUEUED),
    )
    assert waiting(client) == ["a", "b"]
    assert not client.exists("rq:scheduled:default")


def test_one_call_puts_each_job_into_its_own_place(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    due = time.time() + 60
    specs = [
        spec("a"),
        spec("b", front=True),
        spec("c", due=due),
        spec("d", queue="low"),
        spec("e", front=True),
        spec("f"),
    ]
    store.run(steps.enqueue(specs))
    assert (waiting(client), waiting(client, "low")) == (["e", "b", "a", "f"], ["d"])
    assert client.zrange("rq:scheduled:default", 0, -1) == [b"c"]
    assert client.smembers("rq:queues") == {b"rq:queue:default", b"rq:queue:low"}


def test_a_place_that_cannot_be_written_leaves_no_job_behind(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    client.set("rq:queue:default", "no list")
    with pytest.raises(RedisRefused, match="WRONGTYPE"):
        store.run(steps.enqueue([spec("a"), spec("b")]))
    assert client.keys() == [b"rq:queue:default"]


def test_a_final_id_is_replaced(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(ok(child.claim()[0]))
    assert store.run(steps.enqueue([spec("a")])) == (Enqueued("a", True, JobStatus.QUEUED),)
    assert waiting(client) == ["a"]
    assert not client.exists("rq:finished:default", "rq:results:a")


def test_a_final_id_stays_where_it_shall_be_unique(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(ok(child.claim()[0]))
    assert store.run(steps.enqueue([spec("a", unique=True)])) == (
        Enqueued("a", False, JobStatus.FINISHED),
    )
    assert waiting(client) == []


def test_a_run_of_the_call_before_is_refused_once_its_id_was_replaced(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    client.hset("rq:job:a", "status", "canceled")  # as rq's own cancel does
    store.run(steps.enqueue([spec("a")]))
    assert child.work(ok(job), claim=0).refused == (f"a:{job.execution}",)
    assert client.hget("rq:job:a", "status") == b"queued"


def test_rq_reads_every_field_of_our_job(store: Store, client: redis.Redis, spec: Spec) -> None:
    made = spec("a", retry=Retry(3, backoff=1.5), result_ttl=7, failure_ttl=8, meta=b'{"step": 1}')
    store.run(steps.enqueue([made]))
    job = Job.fetch("a", connection=client, serializer=JSONSerializer)
    assert (job.func_name, job.args, job.kwargs) == ("operator.add", [1, 2], {})
    assert (job.origin, job.timeout, job.result_ttl, job.failure_ttl) == ("default", 30, 7, 8)
    assert (job.retries_left, job.retry_intervals) == (3, [2, 3, 6])
    assert job.meta == {"step": 1}
    assert job.created_at == job.enqueued_at == made.created_at
    assert job.get_status() == "queued"


def test_our_job_has_the_fields_that_rq_writes(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    theirs = Queue(connection=client, serializer=JSONSerializer).enqueue("operator.add", 1, 2)
    store.run(steps.enqueue([spec("a")]))
    written = set(client.hgetall(f"rq:job:{theirs.id}")) - set(client.hgetall("rq:job:a"))
    assert written <= {b"result_ttl"}


def test_a_job_for_later_is_scheduled_as_rq_does(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    due = time.time() + 60
    assert store.run(steps.enqueue([spec("a", due=due)]))[0].status is JobStatus.SCHEDULED
    registry = ScheduledJobRegistry("default", connection=client)  # type: ignore[no-untyped-call] # rq's
    assert registry.get_scheduled_time("a") == pytest.approx(
        datetime.fromtimestamp(due, UTC), abs=timedelta(seconds=1)
    )
    assert waiting(client) == []


def test_many_jobs_are_enqueued_in_bounded_chunks(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    specs = [spec(f"j{n}") for n in range(1201)]
    assert [len(chunk) for chunk in operations.chunks(specs)] == [500, 500, 201]
    for chunk in operations.chunks(specs):
        store.run(steps.enqueue(chunk))
    assert waiting(client) == [made.id for made in specs]


def test_a_chunk_carries_a_mebibyte_at_most(spec: Spec) -> None:
    specs = [spec()._replace(data=b"x" * 400_000) for _ in range(5)]
    assert [len(chunk) for chunk in operations.chunks(specs)] == [2, 2, 1]
