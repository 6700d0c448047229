"""Jobs that wait for others: they follow those that end, and are left by none that is deleted."""

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.job import Dependency
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, error, now_text, ok, places

from msgqueue.store import steps
from msgqueue.store.run import Store


def rq_dependent(client: redis.Redis, *parents: str, allow_failure: bool = False) -> str:
    queue = Queue(connection=client, serializer=JSONSerializer)
    depends_on = Dependency(list(parents), allow_failure=allow_failure)
    return queue.enqueue("operator.add", 1, 2, depends_on=depends_on).id


def test_a_dependent_of_our_job_is_queued_when_it_has_finished(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    assert places(client, dependent) == ["deferred"]
    child.work(ok(child.claim()[0]), claim=0)
    assert places(client, dependent) == ["queue"]
    assert not client.exists("msgqueue:handover")


def test_what_a_dependent_waited_for_is_not_known_for_ever_where_plain_rq_let_it_go(
    store: Store, client: redis.Redis, child: Child
) -> None:
    queue = Queue(connection=client, serializer=JSONSerializer)
    parent = queue.enqueue("operator.add", 1, 2)
    dependent = rq_dependent(client, parent.id)
    worker = SimpleWorker([queue], connection=client, serializer=JSONSerializer)
    worker.work(burst=True, max_jobs=1)
    assert places(client, dependent) == ["queue"]

    child.work(ok(child.claim()[0]), claim=0)

    assert client.ttl(f"rq:job::{dependent}:dependencies") > 0


def test_dependents_are_claimed_by_the_call_that_reports_their_parent(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    assert [job.id for job in child.work(ok(child.claim()[0])).claimed] == [dependent]


def test_a_crowd_of_dependents_is_queued_a_hundred_a_call(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    crowd = [rq_dependent(client, "a") for _ in range(150)]
    child.work(ok(child.claim()[0]), claim=0)
    assert client.llen("rq:queue:default") == 100
    assert store.run(steps.handover(now_text())) == 50
    assert {place for job in crowd for place in places(client, job)} == {"queue"}
    assert not client.exists("msgqueue:handover")


def test_a_dependent_of_a_failed_job_waits_until_it_is_run_again(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    dependent = rq_dependent(client, "a")
    child.work(error(child.claim()[0]), claim=0)
    assert places(client, dependent) == ["deferred"]
    store.run(steps.requeue("a", now_text()))
    child.work(ok(child.claim()[0]), claim=0)
    assert places(client, dependent) == ["queue"]


def test_a_dependent_waits_for_all_its_parents(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    dependent = rq_dependent(client, "a", "b")
    one, two = child.claim(2)
    child.work(ok(one), claim=0)
    assert places(client, dependent) == ["deferred"]
    child.work(ok(two), claim=0)
    assert places(client, dependent) == ["queue"]


def test_a_parent_without_result_ttl_stays_until_its_dependents_are_queued(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", result_ttl=0)]))
    dependent = rq_dependent(client, "a")
    child.work(ok(child.claim()[0]), claim=0)
    assert places(client, dependent) == ["queue"]
    assert 0 < client.ttl("rq:job:a") <= 60


def test_a_dependent_whose_last_parent_is_deleted_is_cancelled(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    alone = rq_dependent(client, "a")
    both = rq_dependent(client, "a", "b")
    behind = rq_dependent(client, alone)
    child.work(error(child.claim()[0]), claim=0)

    store.run(steps.delete("a", now_text()))
    assert (places(client, alone), places(client, both)) == (["canceled"], ["deferred"])
    assert places(client, behind) == ["deferred"]  # its parent may be retried
    assert client.ttl(f"rq:job:{alone}") > 0
    store.run(steps.delete("b", now_text()))
    assert places(client, both) == ["canceled"]

    store.run(steps.requeue(alone, now_text()))
    child.work(ok(child.claim()[0]), claim=0)
    assert places(client, behind) == ["queue"]


@pytest.mark.parametrize("ends", ["finished", "failed"])
def test_a_dependent_is_cancelled_whose_other_parent_had_ended_before_one_was_deleted(
    store: Store, client: redis.Redis, spec: Spec, child: Child, ends: str
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    both = rq_dependent(client, "a", "b", allow_failure=ends == "failed")
    [first] = child.claim()
    child.work(ok(first) if ends == "finished" else error(first), claim=0)

    store.run(steps.delete("b", now_text()))

    assert places(client, both) == ["canceled"]


def test_a_dependent_goes_on_whose_other_parent_ends_after_one_was_deleted(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    both = rq_dependent(client, "a", "b")
    store.run(steps.delete("a", now_text()))
    child.work(ok(child.claim()[0]), claim=0)
    assert places(client, both) == ["queue"]


@pytest.mark.parametrize("ends", ["finished", "failed"])
def test_dependents_that_were_to_follow_a_deleted_job_follow_it(
    store: Store, client: redis.Redis, spec: Spec, child: Child, ends: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    crowd = [rq_dependent(client, "a", allow_failure=ends == "failed") for _ in range(150)]
    [job] = child.claim()
    child.work(ok(job) if ends == "finished" else error(job), claim=0)

    store.run(steps.delete("a", now_text()))
    assert store.run(steps.handover(now_text())) == 50

    assert {place for job in crowd for place in places(client, job)} == {"queue"}
    assert client.keys("*:dependents") == client.keys("msgqueue:handover") == []
