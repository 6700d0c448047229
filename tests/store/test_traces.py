"""What a job leaves behind: nothing comes back, is lost from sight, or stays for ever."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, entry, error, now_text, ok, status

from msgqueue.store import steps
from msgqueue.store.run import Store
from msgqueue.store.steps import Step


def test_a_due_job_of_a_wrong_type_is_set_aside(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a", due=time.time() - 1)]))
    client.delete("rq:job:a")
    client.set("rq:job:a", "?")

    store.run(steps.promote(["default"], "me", now_text()))

    assert client.get("msgqueue:damaged:a") == b"?"
    assert not client.zcard("rq:scheduled:default")


def test_a_queued_job_without_its_call_is_set_aside(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    child.store.run(steps.enqueue([spec("a"), spec("b")]))
    client.hdel("rq:job:a", "data")

    assert [job.id for job in child.claim(2)] == ["b"]
    assert client.exists("msgqueue:damaged:a")
    assert not client.exists("rq:job:a")


def test_a_late_copy_of_an_enqueue_does_not_bring_a_deleted_job_back(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    made = spec("a")
    store.run(steps.enqueue([made]))
    store.run(steps.delete("a", now_text()))

    store.run(steps.enqueue([made]))

    assert not client.exists("rq:job:a")


def test_a_late_copy_of_an_enqueue_does_not_run_a_replaced_job_again(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    first = spec("a")
    for made in (first, spec("a", created_at=datetime.now(UTC))):
        child.store.run(steps.enqueue([made]))
        child.work(ok(child.claim()[0]), claim=0)

    child.store.run(steps.enqueue([first]))

    assert status(client, "a") == b"finished"


def test_a_late_copy_of_an_enqueue_brings_none_of_the_former_jobs_of_its_id_back(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    many = [spec("a", created_at=datetime.now(UTC) + timedelta(seconds=n)) for n in range(100)]
    for made in many:
        store.run(steps.enqueue([made]))
        store.run(steps.delete("a", now_text()))

    for made in many:
        assert [answer.created for answer in store.run(steps.enqueue([made]))] == [True]

    assert not client.exists("rq:job:a")
    assert 0 < client.ttl("msgqueue:done:a") <= 60


def test_a_job_that_left_a_trace_already_takes_no_more_of_it(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    for _ in range(3):
        child.store.run(steps.enqueue([spec("a", result_ttl=30, created_at=datetime.now(UTC))]))
        child.work(ok(child.claim()[0]), claim=0)

    child.store.run(steps.delete("a", now_text()))

    made = "2026-01-01T00:00:00.000000Z"
    assert client.strlen("msgqueue:done:a") == len(("+" + made) * 3 + "d" + made)


@pytest.mark.parametrize("call", [steps.delete, steps.cancel])
def test_a_late_copy_of_a_call_leaves_another_job_of_its_id(
    store: Store, client: redis.Redis, spec: Spec, call: Callable[[str, str], Step[object]]
) -> None:
    step = call("a", now_text())
    store.run(steps.enqueue([spec("a")]))
    answer = store.run(step)
    store.run(steps.enqueue([spec("a", created_at=datetime.now(UTC))]))

    assert store.run(step) == answer

    assert status(client, "a") == b"queued"


def test_a_late_copy_of_a_retry_does_not_run_another_job_of_its_id_again(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    requeue = steps.requeue("a", now_text())
    store.run(steps.enqueue([spec("a")]))
    child.work(error(child.claim()[0]), claim=0)
    store.run(requeue)
    child.work(error(child.claim()[0]), claim=0)
    store.run(steps.enqueue([spec("a", created_at=datetime.now(UTC))]))
    child.work(error(child.claim()[0]), claim=0)

    store.run(requeue)

    assert status(client, "a") == b"failed"


def test_what_a_dependent_waited_for_is_not_kept_for_ever(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    _parent_and_dependent(client, spec, child)

    child.work(ok(child.claim()[0]), claim=0)

    assert status(client, "b") == b"queued"
    assert (client.ttl("rq:job::b:dependencies") or 0) > 0


def test_dependents_of_a_job_that_runs_once_more_wait_for_it(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    _parent_and_dependent(client, spec, child)
    child.work(error(child.claim()[0]), claim=0)

    child.store.run(steps.requeue("a", now_text()))

    assert client.ttl("rq:job:a:dependents") == -1


def test_who_waited_for_a_cancelled_job_is_not_known_for_ever(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    _parent_and_dependent(client, spec, child)

    child.store.run(steps.cancel("a", now_text()))

    assert client.ttl("rq:job:a:dependents") > 0


def test_who_waited_for_a_job_that_was_stopped_before_it_began_is_not_known_for_ever(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    _parent_and_dependent(client, spec, child)
    [held] = child.claim()
    child.store.run(steps.cancel("a", now_text()))

    child.store.run(steps.release([entry(held)], now_text()))

    assert status(client, "a") == b"canceled"
    assert client.ttl("rq:job:a:dependents") > 0


def test_what_a_cancelled_dependent_waited_for_is_not_kept_for_ever(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    _parent_and_dependent(client, spec, child)

    child.store.run(steps.cancel("b", now_text()))

    assert client.ttl("rq:job::b:dependencies") > 0


def test_who_waits_for_a_job_that_is_not_kept_and_for_another_is_not_known_for_ever(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    child.store.run(steps.enqueue([spec("a", result_ttl=0), spec("c")]))
    queue = Queue(connection=client, serializer=JSONSerializer)
    queue.enqueue("operator.add", 1, 2, depends_on=["a", "c"], job_id="b")

    child.work(ok(child.claim()[0]), claim=0)

    assert status(client, "b") == b"deferred"
    assert client.ttl("rq:job:a:dependents") > 0


def test_dependents_of_a_replaced_job_wait_for_the_new_one(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    _parent_and_dependent(client, spec, child)
    child.work(error(child.claim()[0]), claim=0)

    child.store.run(steps.enqueue([spec("a")]))

    assert client.ttl("rq:job:a:dependents") == -1


def test_a_dependent_does_not_wait_for_another_job_of_a_deleted_parents_id(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    child.store.run(steps.enqueue([spec("a"), spec("c")]))
    queue = Queue(connection=client, serializer=JSONSerializer)
    queue.enqueue("operator.add", 1, 2, depends_on=["a", "c"], job_id="b")
    child.store.run(steps.delete("a", now_text()))
    child.store.run(steps.enqueue([spec("a")]))

    child.work(ok(child.claim()[0]), claim=0)

    assert status(client, "c") == b"finished"
    assert status(client, "b") == b"queued"


def test_who_waits_for_a_job_that_was_set_aside_is_known_as_long_as_that(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    _parent_and_dependent(client, spec, child)
    client.hset("rq:job:a", "timeout", "soon")
    assert child.claim() == ()
    assert client.ttl("rq:job:a:dependents") > 0

    assert child.store.run(steps.restore("a", now_text())) == "queued"

    assert client.ttl("rq:job:a:dependents") == -1


def test_another_job_of_the_id_of_one_that_was_set_aside_has_none_of_its_results(
    client: redis.Redis, spec: Spec, child: Child
) -> None:
    child.store.run(steps.enqueue([spec("a", failure_ttl=-1)]))
    child.work(error(child.claim()[0]), claim=0)
    child.store.run(steps.requeue("a", now_text()))
    client.hset("rq:job:a", "timeout", "soon")

    assert child.claim() == ()

    assert not client.exists("rq:results:a")


def _parent_and_dependent(client: redis.Redis, spec: Spec, child: Child) -> None:
    child.store.run(steps.enqueue([spec("a")]))
    queue = Queue(connection=client, serializer=JSONSerializer)
    queue.enqueue("operator.add", 1, 2, depends_on="a", job_id="b")
