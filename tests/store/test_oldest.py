"""For how long the oldest waiting job has waited."""

import time
from datetime import UTC, datetime, timedelta

import redis
from tests.store.conftest import Child, Spec

from msgqueue.store import steps
from msgqueue.store.run import Store


def waited(store: Store, *queues: str) -> float:
    return store.run(steps.oldest(queues))


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_it_is_that_of_the_head_that_waited_longest(store: Store, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a", created_at=ago(5)), spec("b")]))
    store.run(steps.enqueue([spec("c", queue="low", created_at=ago(60))]))

    assert 5 <= waited(store, "default") < 8
    assert 60 <= waited(store, "default", "low") < 63


def test_nothing_waits_in_empty_queues(store: Store) -> None:
    assert waited(store, "default", "low") == 0.0


def test_a_claimed_job_waits_no_longer(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec("a", created_at=ago(60))]))
    child.claim()

    assert waited(store, "default") == 0.0


def test_a_job_from_the_future_or_of_no_time_has_not_waited(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a", created_at=ago(-60)), spec("b", queue="low")]))
    client.hset("rq:job:b", "enqueued_at", "yesterday")
    client.rpush("rq:queue:odd", "gone")
    client.set("rq:queue:no list", time.time())

    assert waited(store, "default", "low", "odd", "no list") == 0.0
