"""What plain rq workers leave behind when they die."""

import time

import pytest
import redis
from rq import Callback, Queue, Retry, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, now_text, places, waiting
from tests.store.test_upkeep import grow_old, lead_for, sweep

from msgqueue.store import steps
from msgqueue.store.messages import Leftovers, Swept
from msgqueue.store.run import Store

EXECUTION = "0123456789abcdef0123456789abcdef"
INTERMEDIATE = "rq:queue:default:intermediate"


@pytest.fixture
def rq(client: redis.Redis) -> Queue:
    return Queue(connection=client, serializer=JSONSerializer)


def leftovers(store: Store, token: str = "me") -> Leftovers:
    return store.run(steps.leftovers(token, now_text()))


def abandon(client: redis.Redis, job: Job, ago: float = 1.0) -> None:
    """As a plain rq worker leaves a job that it died under, so many seconds past its time."""
    client.lrem("rq:queue:default", 0, job.id)
    client.hset(f"rq:job:{job.id}", mapping={"status": "started", "worker_name": "dead"})
    client.zadd("rq:wip:default", {f"{job.id}:{EXECUTION}": time.time() - ago})
    client.zadd(f"rq:executions:{job.id}", {EXECUTION: time.time() - ago})
    client.hset(f"rq:execution:{job.id}:{EXECUTION}", "id", EXECUTION)


def pop(client: redis.Redis, job_id: str, seen_ago: float | None = None) -> None:
    """As a plain rq worker leaves a job that it popped and did not start."""
    client.lmove("rq:queue:default", INTERMEDIATE, "LEFT", "RIGHT")
    if seen_ago is not None:
        client.set(f"{INTERMEDIATE}:first_seen:{job_id}", time.time() - seen_ago)


def test_an_abandoned_job_fails_as_rq_says_it(store: Store, client: redis.Redis, rq: Queue) -> None:
    job = rq.enqueue("operator.add", 1, 2)
    abandon(client, job)
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(requeued=0, failed=1, dropped=0)

    assert places(client, job.id) == ["failed"]
    result = Job.fetch(job.id, client).latest_result()
    assert result is not None
    assert "AbandonedJobError" in str(result.exc_string)
    assert not client.keys("rq:execution*")


def test_what_an_abandoned_job_had_waited_for_is_not_known_for_ever(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    parent = rq.enqueue("operator.add", 1, 2)
    job = rq.enqueue("operator.add", 1, 2, depends_on=parent)
    SimpleWorker([rq], connection=client, serializer=JSONSerializer).work(burst=True, max_jobs=1)
    abandon(client, job)
    lead_for(client, store, 5)

    assert leftovers(store).failed == 1

    assert client.ttl(f"rq:job::{job.id}:dependencies") > 0


def test_an_abandoned_job_with_retries_left_runs_again(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    now = rq.enqueue("operator.add", 1, 2, retry=Retry(max=1))
    later = rq.enqueue("operator.add", 1, 2, retry=Retry(max=2, interval=60))
    abandon(client, now)
    abandon(client, later)
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(requeued=2, failed=0, dropped=0)

    assert (places(client, now.id), places(client, later.id)) == (["queue"], ["scheduled"])
    assert Job.fetch(later.id, client).retries_left == 1


def test_a_job_that_had_ended_only_leaves_its_entry(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    job = rq.enqueue("operator.add", 1, 2)
    abandon(client, job)
    client.hset(f"rq:job:{job.id}", "status", "finished")
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(0, 0, dropped=1)
    assert client.zcard("rq:wip:default") == 0


def test_a_job_whose_worker_died_before_it_said_so_runs(
    store: Store, client: redis.Redis, rq: Queue, child: Child
) -> None:
    job = rq.enqueue("operator.add", 1, 2)
    abandon(client, job)
    client.hset(f"rq:job:{job.id}", "status", "queued")  # noted in rq:wip, and not started
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(requeued=1, failed=0, dropped=0)

    assert places(client, job.id) == ["queue"]
    assert [one.id for one in child.claim()] == [job.id]


def test_a_job_whose_worker_died_before_it_said_so_is_left_where_it_can_be_found(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    job = rq.enqueue("operator.add", 1, 2)
    pop(client, job.id)
    client.zadd("rq:wip:default", {f"{job.id}:{EXECUTION}": time.time() - 1})
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(requeued=0, failed=0, dropped=1)

    assert client.lrange(INTERMEDIATE, 0, -1) == [job.id.encode()]


def test_a_job_of_a_living_worker_is_left_alone(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    abandon(client, rq.enqueue("operator.add", 1, 2), ago=-60)
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(0, 0, 0)
    assert client.zcard("rq:wip:default") == 1


def test_a_job_with_a_callback_is_left_to_rq_for_a_while(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    job = rq.enqueue("operator.add", 1, 2, on_failure=Callback("operator.add"))
    abandon(client, job, ago=900)
    lead_for(client, store, 5)
    assert leftovers(store) == Leftovers(0, 0, 0)

    client.zadd("rq:wip:default", {f"{job.id}:{EXECUTION}": time.time() - 1001})
    assert leftovers(store).failed == 1


def test_a_queue_that_a_plain_worker_cleans_is_left_to_it(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    abandon(client, rq.enqueue("operator.add", 1, 2))
    lead_for(client, store, 5)
    assert rq.acquire_maintenance_lock()
    assert leftovers(store) == Leftovers(0, 0, 0)

    client.expire("rq:clean_registries:default", 830)  # its holder died in it
    assert leftovers(store).failed == 1


@pytest.mark.parametrize("age", [None, 5.0, 59.0])
def test_a_popped_job_is_left_to_its_worker_for_a_minute(
    store: Store, client: redis.Redis, rq: Queue, age: float | None
) -> None:
    job = rq.enqueue("operator.add", 1, 2)
    pop(client, job.id, age)
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(0, 0, 0)
    assert client.lrange(INTERMEDIATE, 0, -1) == [job.id.encode()]
    assert client.exists(f"{INTERMEDIATE}:first_seen:{job.id}")


def test_a_popped_job_that_nobody_started_goes_to_the_front(
    store: Store, client: redis.Redis, rq: Queue, child: Child
) -> None:
    job, behind = rq.enqueue("operator.add", 1, 2), rq.enqueue("operator.add", 1, 2)
    pop(client, job.id, 61)
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(requeued=1, failed=0, dropped=0)

    assert waiting(client) == [job.id, behind.id]
    assert not client.keys(f"{INTERMEDIATE}*")
    assert [claimed.id for claimed in child.claim(2)] == [job.id, behind.id]


def test_a_popped_job_that_ended_or_is_gone_only_leaves_its_entry(
    store: Store, client: redis.Redis, rq: Queue, spec: Spec
) -> None:
    ended, gone = rq.enqueue("operator.add", 1, 2), rq.enqueue("operator.add", 1, 2)
    pop(client, ended.id, 61)
    pop(client, gone.id, 61)
    client.hset(f"rq:job:{ended.id}", "status", "finished")
    client.zadd("rq:finished:default", {ended.id: time.time() + 100})
    client.delete(f"rq:job:{gone.id}")
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(0, 0, dropped=2)
    assert waiting(client) == []


def test_a_popped_job_that_runs_is_left_alone(store: Store, client: redis.Redis, rq: Queue) -> None:
    job = rq.enqueue("operator.add", 1, 2)
    client.rpush(INTERMEDIATE, job.id)
    abandon(client, job, ago=-60)
    client.set(f"{INTERMEDIATE}:first_seen:{job.id}", time.time() - 61)
    lead_for(client, store, 5)

    assert leftovers(store) == Leftovers(0, 0, 0)


def test_only_a_leader_ends_what_is_left_and_not_at_once(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    abandon(client, rq.enqueue("operator.add", 1, 2))
    assert leftovers(store) == Leftovers(0, 0, 0)
    lead_for(client, store, 3)
    assert leftovers(store) == leftovers(store, "you") == Leftovers(0, 0, 0)


def test_damage_among_what_is_left_is_set_aside(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    one, two, good = (rq.enqueue("operator.add", 1, 2) for _ in range(3))
    client.lrem("rq:queue:default", 0, two.id)
    client.rpush(INTERMEDIATE, two.id)
    for job in (one, good):
        abandon(client, job)
    for job in (one, two):
        client.delete(f"rq:job:{job.id}")
        client.set(f"rq:job:{job.id}", "no hash")
    lead_for(client, store, 5)

    assert leftovers(store).failed == 1

    assert {row.id for row in store.run(steps.damaged(5)).newest} == {one.id, two.id}
    assert client.zcard("rq:wip:default") == client.llen(INTERMEDIATE) == 0


def test_a_hundred_runs_of_plain_workers_hide_none_of_ours_from_the_sweep(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    grow_old(client, child.claim()[0], 9)
    soon = time.time() + 60
    client.zadd("rq:wip:default", {f"rqs-{n}:{EXECUTION}": soon for n in range(250)})
    lead_for(client, store, 5)

    assert sweep(store) == Swept("", requeued=1, failed=0, gone=0, rest=8.0)
    assert places(client, "a") == ["queue"]
