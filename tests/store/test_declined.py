"""A job that a worker's code cannot carry out is offered to others for a minute, then it fails."""

import time
from collections.abc import Callable

import pytest
import redis
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, died, entry, error, now_text, ok, places, status

from msgqueue.jobs import Claimed, Outcome, Retry
from msgqueue.settings import PAUSES_BETWEEN_OFFERS
from msgqueue.store import steps
from msgqueue.store.run import Store

TEXT = "UnknownTask: no task 'ship' is registered"
DECLINED = "mq_declined"


def declined(job: Claimed) -> Outcome:
    return error(job, TEXT)._replace(kind="declined")


@pytest.fixture
def decline(client: redis.Redis, child: Child) -> Callable[[int], None]:
    """Has a worker decline the job `a` so often, each time brought forward."""

    def times(count: int) -> None:
        for _ in range(count):
            child.work(declined(offered(child, client)), claim=0)

    return times


def offered(child: Child, client: redis.Redis) -> Claimed:
    """The job `a`, claimed, whenever it is due."""
    client.zadd("rq:scheduled:default", {"a": 0}, xx=True)
    child.store.run(steps.promote(["default"], "me", now_text()))
    [job] = child.claim()
    assert job.id == "a"
    return job


def test_a_declined_job_waits_longer_each_time_a_minute_in_all(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    waits = []
    for number, pause in enumerate(PAUSES_BETWEEN_OFFERS):
        job, before = offered(child, client), time.time()
        assert (job.declined, job.attempt) == (number, 1)
        child.work(declined(job), claim=0)
        assert (places(client, "a"), status(client, "a")) == (["scheduled"], b"scheduled")
        due = client.zscore("rq:scheduled:default", "a")
        assert due is not None
        assert pause <= due - before <= 1.25 * pause + 1
        waits.append(pause)
    assert sum(waits) == 60


def test_a_job_that_nobody_can_carry_out_fails_with_what_the_last_one_said(
    store: Store,
    client: redis.Redis,
    spec: Spec,
    child: Child,
    decline: Callable[[int], None],
) -> None:
    store.run(steps.enqueue([spec("a")]))
    decline(5)
    last = offered(child, client)
    assert last.declined == 5
    child.work(declined(last), claim=0)

    assert places(client, "a") == ["failed"]
    result = Job.fetch("a", connection=client, serializer=JSONSerializer).latest_result()
    assert result is not None
    assert result.exc_string == TEXT
    assert client.hget("rq:job:a", DECLINED) is None


def test_each_run_that_retry_grants_is_offered_anew(
    store: Store, client: redis.Redis, spec: Spec, decline: Callable[[int], None]
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(1))]))
    decline(5)
    assert client.hget("rq:job:a", "retries_left") == b"1"
    decline(1)
    assert (places(client, "a"), client.hget("rq:job:a", "retries_left")) == (["queue"], b"0")
    decline(5)
    assert places(client, "a") == ["scheduled"]
    decline(1)
    assert places(client, "a") == ["failed"]


def test_a_run_that_began_and_failed_is_offered_anew(
    store: Store,
    client: redis.Redis,
    spec: Spec,
    child: Child,
    decline: Callable[[int], None],
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(1))]))
    decline(4)
    child.work(error(offered(child, client)), claim=0)
    [again] = child.claim()
    assert (again.declined, again.attempt) == (0, 2)


def test_a_worker_that_can_carry_it_out_finishes_it(
    store: Store,
    client: redis.Redis,
    spec: Spec,
    child: Child,
    decline: Callable[[int], None],
) -> None:
    store.run(steps.enqueue([spec("a", max_deliveries=1)]))
    decline(5)
    child.work(ok(offered(child, client)), claim=0)
    assert places(client, "a") == ["finished"]


def test_a_report_and_a_claim_that_are_sent_again_count_one_offer(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    job = offered(child, client)
    child.work(declined(job), claim=0)
    child.work(declined(job), claim=0, again=True)
    assert child.work(declined(job), claim=0).refused == (entry(job).member,)
    assert client.hget("rq:job:a", DECLINED) == b"1"
    again = offered(child, client)
    assert child.work(again=True).claimed == (again,)
    assert again.declined == 1


def test_a_stop_of_a_job_that_is_declined_wins(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(3))]))
    job = offered(child, client)
    store.run(steps.cancel("a", now_text()))
    child.work(declined(job), claim=0)
    assert (places(client, "a"), status(client, "a")) == (["failed"], b"stopped")


def test_a_declined_job_is_cancelled_while_it_waits_and_counts_from_none_after_a_retry(
    store: Store,
    client: redis.Redis,
    spec: Spec,
    child: Child,
    decline: Callable[[int], None],
) -> None:
    store.run(steps.enqueue([spec("a")]))
    decline(3)
    store.run(steps.cancel("a", now_text()))
    assert places(client, "a") == ["canceled"]
    assert client.hget("rq:job:a", DECLINED) is None
    store.run(steps.requeue("a", now_text()))
    assert offered(child, client).declined == 0


def test_who_enqueues_a_failed_job_again_has_it_counted_from_none(
    store: Store,
    client: redis.Redis,
    spec: Spec,
    child: Child,
    decline: Callable[[int], None],
) -> None:
    store.run(steps.enqueue([spec("a")]))
    decline(6)
    FailedJobRegistry("default", connection=client, serializer=JSONSerializer).requeue("a")
    first = offered(child, client)
    assert first.declined == 0
    child.work(declined(first), claim=0)
    store.run(steps.delete("a", now_text()))
    store.run(steps.enqueue([spec("a")]))
    assert offered(child, client).declined == 0


def test_the_supervisor_of_a_dead_child_declines_for_it(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    one, two = child.claim(2)
    child.settle(outcomes=(declined(one),), ended=(died(two),))
    assert (places(client, "a"), places(client, "b")) == (["scheduled"], ["queue"])
    assert client.hget("rq:job:a", "mq_deaths") is None


@pytest.mark.parametrize("text", ["-1", "0.5", "nan", "1e300", "9" * 400])
def test_a_count_that_is_none_ends_the_offers(
    store: Store, client: redis.Redis, spec: Spec, child: Child, text: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    job = offered(child, client)
    client.hset("rq:job:a", DECLINED, text)
    child.work(declined(job), claim=0)
    assert places(client, "a") == ["failed"]
