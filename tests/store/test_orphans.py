"""Jobs that wait for what has expired: nobody will let them go, and none waits for ever."""

import time

import pytest
import redis
from rq.job import Job
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, error, now_text, ok, places, waiting
from tests.store.test_dependents import rq_dependent

from msgqueue.jobs import JobError
from msgqueue.store import steps
from msgqueue.store.run import Store


def test_a_job_whose_parent_failed_and_expired_is_cancelled_and_tells_why(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    child.work(error(child.claim()[0]), claim=0)
    assert store.run(steps.orphans("default", now_text())) == 0
    expire(client, "a")

    assert store.run(steps.orphans("default", now_text())) == 1

    assert places(client, dependent) == ["canceled"]
    assert client.ttl(f"rq:job:{dependent}") > 0
    gone = "job a, for which this one waited, is gone and had not finished"
    assert told_error(store, dependent) == JobError("ParentGone", gone)


def test_a_retry_runs_it_and_it_tells_no_more_of_its_parent(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    store.run(steps.delete("a", now_text()))
    assert told_error(store, dependent) is not None

    store.run(steps.requeue(dependent, now_text()))

    child.work(ok(child.claim()[0]), claim=0)
    assert places(client, dependent) == ["finished"]
    assert told_error(store, dependent) is None


@pytest.mark.parametrize("lenient", [False, True])
def test_a_job_whose_parent_was_cancelled_and_expired_is_cancelled(
    store: Store, client: redis.Redis, spec: Spec, lenient: bool
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a", allow_failure=lenient)
    store.run(steps.cancel("a", now_text()))
    expire(client, "a")
    assert store.run(steps.orphans("default", now_text())) == 1
    assert places(client, dependent) == ["canceled"]


def test_a_job_waits_as_long_as_any_parent_may_still_let_it_go(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    dependent = rq_dependent(client, "a", "b")
    one, two = child.claim(2)
    child.work(ok(one), claim=0)
    expire(client, "a")
    assert store.run(steps.orphans("default", now_text())) == 0

    child.work(ok(two), claim=0)

    assert places(client, dependent) == ["queue"]


def test_a_job_is_cancelled_whose_one_parent_finished_and_whose_other_failed_and_expired(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    dependent = rq_dependent(client, "a", "b")
    one, two = child.claim(2)
    child.work(ok(one), error(two), claim=0)
    expire(client, "b")
    assert store.run(steps.orphans("default", now_text())) == 1
    assert places(client, dependent) == ["canceled"]


def test_a_chain_is_cancelled_link_by_link(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a")]))
    first = rq_dependent(client, "a")
    second = rq_dependent(client, first)
    store.run(steps.cancel("a", now_text()))
    expire(client, "a")
    assert store.run(steps.orphans("default", now_text())) == 1
    assert places(client, second) == ["deferred"]  # a retry of the first would let it go
    expire(client, first)
    assert store.run(steps.orphans("default", now_text())) == 1
    assert places(client, second) == ["canceled"]


def test_a_job_whose_parent_plain_rq_deleted_is_cancelled(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    Job.fetch("a", connection=client, serializer=JSONSerializer).delete()
    assert store.run(steps.orphans("default", now_text())) == 1
    assert places(client, dependent) == ["canceled"]


def test_a_job_waits_for_a_parent_that_was_enqueued_again_after_it_had_expired(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    store.run(steps.cancel("a", now_text()))
    expire(client, "a")
    store.run(steps.enqueue([spec("a")]))
    assert store.run(steps.orphans("default", now_text())) == 0
    child.work(ok(child.claim()[0]), claim=0)

    store.run(steps.orphans("default", now_text()))

    assert places(client, dependent) == ["queue"]


def test_a_job_waits_for_a_parent_that_was_set_aside_as_long_as_that_is_kept(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    client.hset("rq:job:a", "timeout", "soon")
    assert child.claim() == ()
    assert store.run(steps.orphans("default", now_text())) == 0

    store.run(steps.discard("a"))

    assert store.run(steps.orphans("default", now_text())) == 1
    assert places(client, dependent) == ["canceled"]


def test_a_crowd_that_waits_to_follow_a_finished_parent_is_not_cancelled_when_that_expires(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    crowd = [rq_dependent(client, "a") for _ in range(150)]
    child.work(ok(child.claim()[0]), claim=0)
    assert client.ttl("rq:job:a:dependents") == -1  # known until all have followed, whatever dies
    client.delete("rq:job:a")

    assert store.run(steps.orphans("default", now_text())) == 0

    assert store.run(steps.handover(now_text())) == 50
    assert {place for job in crowd for place in places(client, job)} == {"queue"}
    assert client.keys("*:dependents") == []


def test_many_that_wait_are_looked_at_a_hundred_a_call_and_all_of_them_in_time(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    crowd = [rq_dependent(client, "a" if number % 2 else "b") for number in range(300)]
    store.run(steps.cancel("a", now_text()))
    expire(client, "a")
    freed = 0
    for _ in range(1000):
        count = store.run(steps.orphans("default", now_text()))
        assert count <= 100
        freed += count
        if freed == 150:
            break
    assert [places(client, job) for job in crowd[:2]] == [["deferred"], ["canceled"]]
    assert client.zcard("rq:deferred:default") == 150


def test_an_id_whose_hash_has_expired_and_a_damaged_one_hold_nobody_up(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    client.delete("rq:job:a")
    client.set("rq:job:no hash", "")
    client.zadd("rq:deferred:default", {"gone": 1.0, "no hash": 2.0})
    store.run(steps.orphans("default", now_text()))
    assert client.zrange("rq:deferred:default", 0, -1) == [b"no hash"]
    assert places(client, dependent) == ["canceled"]
    client.delete("rq:deferred:default")
    client.set("rq:deferred:default", "")
    assert store.run(steps.orphans("default", now_text())) == 0


def told_error(store: Store, job_id: str) -> JobError | None:
    stored = store.run(steps.read(job_id))
    return stored.info.error if stored else None


def expire(client: redis.Redis, job_id: str) -> None:
    """The time of a job that is final is over, and of what expires with it."""
    keys = f"rq:job:{job_id}", f"rq:job:{job_id}:dependents"
    passing = [key for key in keys if client.ttl(key) > 0]
    assert keys[0] in passing
    client.delete(*passing)


def test_nobody_follows_a_failure_that_a_sweep_found_and_that_has_expired(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", max_deliveries=1)]))
    dependent = rq_dependent(client, "a")
    [job] = child.claim()
    client.zadd("rq:wip:default", {f"a:{job.execution}": time.time() + 900 - 60})
    store.run(steps.lead("me"))
    client.hset("msgqueue:upkeep", "since", time.time() - 5)
    assert store.run(steps.sweep("me", now_text())).failed == 1
    expire(client, "a")

    store.run(steps.handover(now_text()))
    store.run(steps.orphans("default", now_text()))

    assert places(client, dependent) == ["canceled"]


def test_a_failure_keeps_none_waiting_for_the_crowd_of_another_parent(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    for _ in range(150):
        rq_dependent(client, "a")
    dependent = rq_dependent(client, "b")
    one, two = child.claim(2)
    child.work(ok(one), error(two), claim=0)
    assert client.zrange("msgqueue:handover", 0, -1) == [b"a"]
    expire(client, "b")

    store.run(steps.handover(now_text()))
    store.run(steps.orphans("default", now_text()))

    assert dependent not in waiting(client)
