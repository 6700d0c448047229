"""What the steps know of jobs that plain rq enqueued, and of workers that keep rq's rules."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
import rq as rq_package
from rq import Callback, Queue, Repeat, Retry
from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, died, error, now_text, ok, places, status

from msgqueue.jobs import Claimed, Outcome
from msgqueue.store import steps
from msgqueue.store.run import Store


@pytest.fixture
def rq(client: redis.Redis) -> Queue:
    return Queue(connection=client, serializer=JSONSerializer)


def successor(store: Store, child: Child, **rules: Any) -> Child:
    """A child that bears the name of another one."""
    other = Child(store)
    other.settle()
    other.seq = 0
    other.lane = other.lane._replace(worker=child.lane.worker)
    other.worker = other.worker._replace(**rules)
    store.run(steps.register(other.lane, other.worker, now_text()))
    return other


def again(job: Claimed) -> Outcome:
    return ok(job)._replace(kind="repeat")


@pytest.mark.parametrize(
    ("option", "rq_only"),
    [
        ({}, False),
        ({"on_success": Callback("operator.add")}, True),
        ({"on_failure": Callback("operator.add")}, True),
        ({"on_stopped": Callback("operator.add")}, False),  # is called when it is stopped alone
        ({"repeat": Repeat(1)}, True),
        ({"retry": Retry(1)}, False),
        ({"meta": {"a": 1}}, False),
    ],
    ids=lambda value: ",".join(value) or "none" if isinstance(value, dict) else None,
)
def test_a_claim_tells_whether_rq_alone_understands_a_job(
    rq: Queue, child: Child, option: dict[str, object], rq_only: bool
) -> None:
    rq.enqueue("operator.add", 1, 2, **option)
    assert [job.rq_only for job in child.claim()] == [rq_only]


def test_a_repeat_records_its_success_and_runs_again(
    client: redis.Redis, rq: Queue, child: Child
) -> None:
    job = rq.enqueue("operator.add", 1, 2, repeat=Repeat(2))
    dependent = rq.enqueue("operator.add", 1, 2, depends_on=job)
    child.work(again(child.claim()[0]), claim=0)
    job = Job.fetch(job.id, client, serializer=JSONSerializer)
    assert (job.repeats_left, job.return_value()) == (1, 3)
    assert places(client, job.id) == ["queue"]
    assert places(client, dependent.id) == ["queue"]


def test_a_repeat_follows_its_intervals_and_ends_finished(
    store: Store, client: redis.Redis, rq: Queue, child: Child
) -> None:
    job = rq.enqueue("operator.add", 1, 2, repeat=Repeat(2, interval=[30, 90]))
    child.work(again(child.claim()[0]), claim=0)
    assert places(client, job.id) == ["scheduled"]
    assert json.loads(client.hget(job.key, "repeat_intervals") or b"") == [90]
    for left in (0, None):
        client.zadd("rq:scheduled:default", {job.id: 1})
        store.run(steps.promote(["default"], "me", now_text()))
        child.work(again(child.claim()[0]), claim=0)
        if left == 0:
            assert places(client, job.id) == ["scheduled"]
    assert places(client, job.id) == ["finished"]
    assert client.xlen(f"rq:results:{job.id}") == 3


def test_a_worker_with_rqs_rule_fails_rqs_job_at_its_first_death_whoever_sweeps(
    store: Store, client: redis.Redis, rq: Queue, spec: Spec, child: Child
) -> None:
    child.settle()
    ruled = successor(store, child, max_deliveries=1)
    job = rq.enqueue("operator.add", 1, 2)
    ruled.settle(ended=(died(ruled.claim()[0]),))
    assert places(client, job.id) == ["failed"]

    store.run(steps.enqueue([spec("ours")]))
    heir = successor(store, ruled, max_deliveries=1)
    heir.settle(ended=(died(heir.claim()[0]),))
    assert places(client, "ours") == ["queue"]


def test_a_worker_may_keep_results_for_another_time(
    store: Store, client: redis.Redis, rq: Queue, child: Child
) -> None:
    child.settle()
    ruled = successor(store, child, result_ttl=7)
    short, own = rq.enqueue("operator.add", 1, 2), rq.enqueue("operator.add", 1, 2, result_ttl=90)
    for _ in range(2):
        ruled.work(ok(ruled.claim()[0]), claim=0)
    assert client.ttl(short.key) <= 7
    assert client.ttl(own.key) > 80


def test_a_name_passes_to_the_next_lane_when_the_first_is_settled(
    store: Store, client: redis.Redis, rq: Queue, child: Child
) -> None:
    rq.enqueue("operator.add", 1, 2)
    child.settle()
    heir = successor(store, child)

    assert store.run(steps.register(child.lane, child.worker, now_text())) is False
    assert child.work().state == "dead"
    assert child.beat().closed
    assert [job.queue for job in heir.claim()] == ["default"]
    key = f"rq:worker:{child.lane.worker}"
    assert client.hget(key, "death") is None
    assert client.sismember("rq:workers", key)


def test_settling_the_first_lane_once_more_leaves_its_heir_alone(
    store: Store, client: redis.Redis, rq: Queue, child: Child
) -> None:
    child.settle()
    heir = successor(store, child)
    job = rq.enqueue("operator.add", 1, 2)
    heir.claim()

    child.settle()

    assert places(client, job.id) == ["wip"]
    assert heir.work().state == ""
    assert status(client, job.id) == b"started"


def test_a_name_that_is_alive_is_not_taken(store: Store, child: Child) -> None:
    thief = successor(store, child)
    assert thief.work().state == "dead"
    assert child.work().state == ""


def test_a_retry_that_was_to_be_at_the_front_is_put_there_when_it_is_due(
    store: Store, client: redis.Redis, rq: Queue, child: Child
) -> None:
    retry = Retry(1, interval=30, enqueue_at_front=True)
    first = rq.enqueue("operator.add", 1, 2, retry=retry)
    child.work(error(child.claim()[0]), claim=0)
    second = rq.enqueue("operator.add", 1, 2)
    client.zadd("rq:scheduled:default", {first.id: 1})
    store.run(steps.promote(["default"], "me", now_text()))
    assert rq.job_ids == [first.id, second.id]


def test_a_returned_retry_is_kept_in_its_result(rq: Queue, child: Child) -> None:
    job = rq.enqueue("operator.add", 1, 2)
    outcome = ok(child.claim()[0], b"3:0:1:Mw==")._replace(kind="retry")
    child.work(outcome, claim=0)
    result = job.latest_result()
    assert result is not None
    assert (result.type, result.return_value) == (Result.Type.RETRIED, 3)
    assert Job.fetch(job.id, rq.connection, serializer=JSONSerializer).enqueue_at_front_on_retry


@pytest.mark.skipif(not hasattr(rq_package, "RateLimit"), reason="rq 2 has no rate limits")
def test_a_job_that_becomes_due_goes_behind_its_rate_limit(
    store: Store, client: redis.Redis, rq: Queue
) -> None:
    limit = rq_package.RateLimit("shop", 1)
    due = datetime.now(UTC) - timedelta(seconds=5)
    jobs = [rq.enqueue_at(due, "operator.add", 1, 2, rate_limit=limit) for _ in range(2)]
    store.run(steps.promote(["default"], "me", now_text()))
    assert sorted(str(status(client, job.id)) for job in jobs) == ["b'queued'", "b'rate_limited'"]
    assert client.llen("rq:queue:default") == 1


@pytest.mark.skipif(not hasattr(rq_package, "RateLimit"), reason="rq 2 has no rate limits")
def test_a_dependent_goes_behind_its_rate_limit(
    client: redis.Redis, rq: Queue, child: Child
) -> None:
    limit = rq_package.RateLimit("shop", 1)
    parent = rq.enqueue("operator.add", 1, 2)
    for _ in range(2):
        rq.enqueue("operator.add", 1, 2, rate_limit=limit, depends_on=parent)
    child.work(ok(child.claim()[0]), claim=0)
    assert client.llen("rq:queue:default") == 1
    assert client.zcard("rq:rl:shop:rate_limited") == 1


def test_a_worker_that_was_asked_to_end_shows_since_when(
    store: Store, client: redis.Redis, child: Child
) -> None:
    assert store.run(steps.note_shutdown([child.lane.worker, "unknown"], now_text())) == 1
    assert client.hget(f"rq:worker:{child.lane.worker}", "shutdown_requested_date")
    assert not client.exists("rq:worker:unknown")
