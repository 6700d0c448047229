"""A Redis at its memory limit refuses new jobs, and lets workers finish what there is."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis
from tests.store.conftest import Child, Spec, died, entry, error, now_text, ok, places, status
from tests.store.test_dependents import rq_dependent
from tests.store.test_upkeep import grow_old, lead_for, sweep

from msgqueue.errors import QueueFull
from msgqueue.store import steps
from msgqueue.store.run import Store

Fill = Callable[[], object]


@pytest.fixture
def fill(client: redis.Redis) -> Iterator[Fill]:
    """Fills the server's memory when it is called."""
    yield lambda: client.config_set("maxmemory", 1)
    client.config_set("maxmemory", 0)


def test_no_job_can_be_enqueued(store: Store, client: redis.Redis, spec: Spec, fill: Fill) -> None:
    fill()
    with pytest.raises(QueueFull):
        store.run(steps.enqueue([spec("a")]))
    assert not client.keys("rq:*")


def test_children_register_claim_and_report(
    store: Store, client: redis.Redis, spec: Spec, fill: Fill
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    fill()
    child = Child(store)
    one, two = child.claim(2)
    assert child.work(ok(one), error(two), claim=0).refused == ()
    assert [places(client, name) for name in "ab"] == [["finished"], ["failed"]]


def test_a_claim_is_beaten_for_and_given_back(
    store: Store, client: redis.Redis, spec: Spec, child: Child, fill: Fill
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    grow_old(client, job, 7)
    fill()
    child.beat(entry(job), running=frozenset({f"a:{job.execution}"}))
    assert (client.zscore("rq:wip:default", f"a:{job.execution}") or 0) > time.time() + 890
    assert store.run(steps.release([entry(job)], now_text())) == 1
    assert places(client, "a") == ["queue"]


def test_a_dead_child_is_settled(
    store: Store, client: redis.Redis, spec: Spec, child: Child, fill: Fill
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    fill()
    assert child.settle(ended=(died(job),)).requeued == 1
    assert places(client, "a") == ["queue"]


def test_a_dead_lease_is_swept_by_who_leads(
    store: Store, client: redis.Redis, spec: Spec, child: Child, fill: Fill
) -> None:
    store.run(steps.enqueue([spec("a")]))
    grow_old(client, child.claim()[0], 9)
    lead_for(client, store, 5)
    fill()
    assert store.run(steps.lead("me"))
    assert sweep(store).requeued == 1


def test_due_jobs_and_dependents_are_queued(
    store: Store, client: redis.Redis, spec: Spec, child: Child, fill: Fill
) -> None:
    store.run(steps.enqueue([spec("due", due=time.time() - 1), spec("a")]))
    dependent = rq_dependent(client, "a")
    fill()
    child.work(ok(child.claim()[0]), claim=0)
    assert store.run(steps.promote(["default"], "me", now_text()))["default"].moved == 1
    store.run(steps.handover(now_text()))
    assert [places(client, name) for name in ("due", dependent)] == [["queue"], ["queue"]]


def test_a_job_is_cancelled_or_stopped(
    store: Store, client: redis.Redis, spec: Spec, child: Child, fill: Fill
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    child.claim(2)
    fill()
    assert store.run(steps.cancel("c", now_text())).status == "canceled"
    assert store.run(steps.cancel("a", now_text())).stopping
    assert store.run(steps.stop("b")) is not None
    assert status(client, "c") == b"canceled"
