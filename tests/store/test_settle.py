"""Jobs of a dead or draining child: put back, judged, and counted only where they had begun."""

from collections.abc import Callable

import pytest
import redis
from tests.store.conftest import (
    Child,
    Spec,
    died,
    entry,
    error,
    now_text,
    ok,
    places,
    status,
    waiting,
)

from msgqueue.jobs import Outcome, Retry
from msgqueue.store import steps
from msgqueue.store.messages import Settled
from msgqueue.store.run import Store

NewChild = Callable[..., Child]


def test_released_jobs_are_first_again_in_order(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcd"]))
    jobs = child.claim(3)
    assert store.run(steps.release([entry(job) for job in jobs], now_text())) == 3
    assert waiting(client) == ["a", "b", "c", "d"]
    assert [job.attempt for job in child.claim(3)] == [1, 1, 1]


def test_workers_that_release_one_after_the_other_keep_the_order(
    store: Store, client: redis.Redis, spec: Spec, new_child: NewChild
) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcdef"]))
    first, second = new_child(), new_child()
    early, late = first.claim(2), second.claim(2)
    store.run(steps.release([entry(job) for job in early], now_text()))
    store.run(steps.release([entry(job) for job in late], now_text()))
    assert waiting(client) == ["a", "b", "c", "d", "e", "f"]


def test_a_second_release_changes_nothing(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    step = steps.release([entry(job) for job in child.claim()], now_text())
    assert (store.run(step), store.run(step)) == (1, 0)
    assert waiting(client) == ["a"]


def test_a_dead_child_loses_only_the_run_it_was_at(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcd"]))
    done, ran, held, _ = child.claim(4)  # the last it never read: mq_reply names it
    settled = child.settle(outcomes=(ok(done),), ended=(died(ran),), held=(entry(held),))
    assert settled == Settled(requeued=3, failed=0, refused=())
    assert places(client, "a") == ["finished"]
    assert waiting(client) == ["b", "c", "d"]
    assert client.hget("rq:job:b", "mq_deaths") == b"1"
    assert client.hget("rq:job:c", "mq_deaths") is None


def test_settling_twice_changes_nothing(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    ran, held = child.claim(2)
    child.settle(ended=(died(ran),), held=(entry(held),))
    again = child.settle(ended=(died(ran),), held=(entry(held),))
    assert again.requeued == 0
    assert waiting(client) == ["a", "b"]
    assert client.hget("rq:job:a", "mq_deaths") == b"1"


def test_a_call_of_the_dead_child_that_comes_late_claims_nothing(
    store: Store, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.settle()
    assert child.work(claim=1).state == "dead"


def test_the_last_death_fails_the_job_with_its_reason(
    store: Store, client: redis.Redis, spec: Spec, new_child: NewChild
) -> None:
    store.run(steps.enqueue([spec("a", max_deliveries=2)]))
    for _ in range(2):
        child = new_child()
        child.settle(ended=(died(child.claim()[0]),))
    assert places(client, "a") == ["failed"]
    stored = store.run(steps.read("a"))
    assert stored is not None
    assert stored.info.error is not None
    assert (stored.info.error.type, stored.info.error.message) == ("WorkerDied", "signal 9")


def test_the_second_death_waits_before_the_next_run(
    store: Store, client: redis.Redis, spec: Spec, new_child: NewChild
) -> None:
    store.run(steps.enqueue([spec("a")]))
    for place in ("queue", "scheduled"):
        child = new_child()
        child.settle(ended=(died(child.claim()[0]),))
        assert places(client, "a") == [place]


@pytest.mark.parametrize(("retry", "place"), [(None, "failed"), (Retry(1), "queue")])
def test_one_delivery_means_that_a_death_is_an_error(
    store: Store, client: redis.Redis, spec: Spec, child: Child, retry: Retry | None, place: str
) -> None:
    store.run(steps.enqueue([spec("a", max_deliveries=1, retry=retry)]))
    child.settle(ended=(died(child.claim()[0]),))
    assert places(client, "a") == [place]


def test_a_time_limit_is_an_error_and_no_death(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(1))]))
    child.settle(ended=(died(child.claim()[0], "timeout"),))
    assert places(client, "a") == ["queue"]
    assert client.hget("rq:job:a", "mq_deaths") is None
    assert client.hget("rq:job:a", "retries_left") == b"0"


def test_a_drained_run_goes_back_uncounted(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    child.settle(ended=(died(child.claim()[0], "drain"),))
    assert waiting(client) == ["a", "b"]
    assert client.hget("rq:job:a", "mq_deaths") is None


def test_a_stopped_run_lies_among_the_failed(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(5))]))
    child.settle(ended=(died(child.claim()[0], "stop"),))
    assert places(client, "a") == ["failed"]
    assert status(client, "a") == b"stopped"


def test_a_job_asked_to_stop_before_it_began_is_cancelled(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    store.run(steps.cancel("a", now_text()))
    store.run(steps.release([entry(job)], now_text()))
    assert places(client, "a") == ["canceled"]


def test_an_error_of_a_run_asked_to_stop_is_a_stop(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(5))]))
    [job] = child.claim()
    store.run(steps.cancel("a", now_text()))
    child.work(error(job), claim=0)
    assert status(client, "a") == b"stopped"


def test_a_stop_of_a_former_run_means_nothing_for_the_next(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(5))]))
    client.hset("rq:job:a", "mq_stop", "0123456789ab.1")
    child.work(error(child.claim()[0]), claim=0)
    assert places(client, "a") == ["queue"]


def test_a_returned_retry_of_a_run_asked_to_stop_is_a_stop(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    store.run(steps.cancel("a", now_text()))
    child.work(Outcome("default", "a", job.execution, "retry", b"3:0:0", 1.0, 2.0), claim=0)
    assert places(client, "a") == ["failed"]
    assert status(client, "a") == b"stopped"


def test_a_stop_of_a_run_whose_job_was_deleted_leaves_nothing(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    client.delete("rq:job:a")
    child.settle(ended=(died(job, "stop"),))
    assert not client.exists("rq:job:a")
    assert places(client, "a") == []


def test_a_drained_run_counts_as_one_that_went_back(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec("a")]))
    assert child.settle(ended=(died(child.claim()[0], "drain"),)).requeued == 1


def test_a_drained_run_that_was_asked_to_stop_is_stopped(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    store.run(steps.cancel("a", now_text()))
    child.settle(ended=(died(job, "drain"),))
    assert status(client, "a") == b"stopped"


def test_a_run_that_broke_its_limit_and_was_asked_to_stop_counts_as_failed(
    store: Store, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(3))]))
    [job] = child.claim()
    store.run(steps.cancel("a", now_text()))
    assert child.settle(ended=(died(job, "timeout"),))[:2] == (0, 1)


def test_an_outcome_is_told_as_refused_also_where_the_job_was_damaged_since(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    store.run(steps.release([entry(job)], now_text()))
    client.delete("rq:job:a")
    client.set("rq:job:a", "no hash")

    assert child.settle(outcomes=(ok(job),)) == Settled(0, 0, (f"a:{job.execution}",))


@pytest.mark.parametrize("cause", ["death", "timeout", "memory", "stop"])
def test_a_run_that_was_taken_over_is_refused_and_leaves_the_damaged_job_to_its_successor(
    store: Store, client: redis.Redis, spec: Spec, new_child: NewChild, cause: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    first, second = new_child(), new_child()
    [job] = first.claim()
    store.run(steps.release([entry(job)], now_text()))
    second.claim()
    client.delete("rq:job:a")
    client.set("rq:job:a", "no hash")

    assert first.settle(ended=(died(job, cause),)) == Settled(0, 0, (f"a:{job.execution}",))
    assert client.get("rq:job:a") == b"no hash"
