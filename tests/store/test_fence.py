"""Promises 3 and 5 in the scripts: one result of two executions, and claims in order."""

import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
import redis
from tests.store.conftest import Child, Spec, entry, error, now_text, ok, places

from msgqueue.jobs import Claimed, Outcome
from msgqueue.store import steps
from msgqueue.store.run import Store

NewChild = Callable[..., Child]
Ending = Callable[[Claimed], Outcome]


def sweep(store: Store, client: redis.Redis, job: Claimed) -> None:
    """Take a job over, as if nobody had refreshed it."""
    client.zadd("rq:wip:default", {entry(job).member: time.time() + 800})
    store.run(steps.lead("me"))
    client.hset("msgqueue:upkeep", "since", time.time() - 5)
    assert store.run(steps.sweep("me", now_text())).requeued == 1


@pytest.mark.parametrize("late_first", [True, False])
@pytest.mark.parametrize("late", [ok, error])
def test_promise_3_of_two_executions_the_one_that_was_taken_over_is_refused(
    store: Store,
    client: redis.Redis,
    spec: Spec,
    new_child: NewChild,
    late: Ending,
    late_first: bool,
) -> None:
    frozen, other = new_child(), new_child()
    store.run(steps.enqueue([spec("a")]))
    [old] = frozen.claim()
    sweep(store, client, old)
    [new] = other.claim()
    reports = [(frozen, late(old)), (other, ok(new, b"2"))]

    refused = [
        child.work(outcome, claim=0).refused
        for child, outcome in (reports if late_first else reversed(reports))
    ]

    assert sorted(refused) == [(), (entry(old).member,)]
    assert places(client, "a") == ["finished"]
    entries: Any = client.xrange("rq:results:a")
    [(_, result)] = entries
    assert (result[b"execution_id"], result[b"return_value"]) == (new.execution.encode(), b"Mg==")


def test_promise_3_a_report_that_is_made_again_is_recorded_once(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    report = ok(child.claim()[0])

    for again in (False, True):
        assert child.work(report, claim=0, again=again).refused == ()

    assert client.xlen("rq:results:a") == 1


def test_promise_5_claims_come_in_the_order_of_the_queue_whoever_makes_them(
    store: Store, spec: Spec, new_child: NewChild
) -> None:
    ids = [f"job-{number}" for number in range(200)]
    store.run(steps.enqueue([spec(name) for name in ids]))
    children = [new_child() for _ in range(3)]
    claimed: list[str] = []

    for child, most in zip(cycle(children), cycle((1, 7, 64, 3)), strict=False):
        jobs = child.claim(most)
        claimed += [job.id for job in jobs]
        if not jobs:
            break

    assert claimed == ids
