"""Cancel, retry and delete, wherever a job is."""

import json
import time

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, entry, error, now_text, ok, places, status

from msgqueue.jobs import JobStatus, Retry
from msgqueue.store import steps
from msgqueue.store.messages import Cancelled, Requeued
from msgqueue.store.run import Store


def cancel(store: Store, job_id: str) -> Cancelled:
    return store.run(steps.cancel(job_id, now_text()))


def test_a_queued_job_is_cancelled(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a")]))
    assert cancel(store, "a") == cancel(store, "a") == Cancelled(JobStatus.CANCELED)
    assert places(client, "a") == ["canceled"]
    assert client.ttl("rq:job:a") > 0


def test_a_scheduled_job_is_cancelled(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a", due=time.time() + 60)]))
    assert cancel(store, "a").status is JobStatus.CANCELED
    assert places(client, "a") == ["canceled"]


def test_a_deferred_job_is_cancelled(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a")]))
    queue = Queue(connection=client, serializer=JSONSerializer)
    waiting = queue.enqueue("operator.add", 1, 2, depends_on="a")
    assert cancel(store, waiting.id).status is JobStatus.CANCELED
    assert places(client, waiting.id) == ["canceled"]


def test_a_claimed_job_is_asked_to_stop(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    heard = client.pubsub()
    heard.subscribe(f"rq:pubsub:{child.lane.worker}")
    heard.get_message(timeout=1)
    assert cancel(store, "a") == Cancelled(JobStatus.STARTED, stopping=True)
    message = heard.get_message(timeout=1)
    heard.close()
    assert message is not None
    assert json.loads(message["data"]) == {"command": "stop-job", "job_id": "a"}
    assert client.hget("rq:job:a", "mq_stop") == job.execution.encode()


def test_a_final_job_keeps_its_status(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    one, two = child.claim(2)
    child.work(ok(one), error(two))
    assert cancel(store, "a") == Cancelled(JobStatus.FINISHED)
    assert cancel(store, "b") == Cancelled(JobStatus.FAILED)


def test_an_unknown_job_cannot_be_cancelled(store: Store) -> None:
    assert cancel(store, "nobody") == Cancelled(None)


def test_a_job_in_no_place_is_cancelled(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.lpop("rq:queue:default")  # a plain rq worker took it and died
    assert cancel(store, "a").status is JobStatus.CANCELED


def test_a_failed_job_runs_once_more(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(error(child.claim()[0]), claim=0)
    step = steps.requeue("a", now_text())
    assert store.run(step) == store.run(step) == Requeued(JobStatus.QUEUED, done=True)
    assert places(client, "a") == ["queue"]
    assert client.ttl("rq:job:a") == -1


def test_a_copy_of_a_retry_that_comes_after_the_run_changes_nothing(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(error(child.claim()[0]), claim=0)
    retry = steps.requeue("a", now_text())
    assert store.run(retry) == Requeued(JobStatus.QUEUED, done=True)

    [again] = child.claim()
    assert store.run(retry) == Requeued(JobStatus.QUEUED, done=True)
    child.work(ok(again), claim=0)
    assert store.run(retry) == Requeued(JobStatus.QUEUED, done=True)

    assert places(client, "a") == ["finished"]


def test_a_copy_of_a_cancel_that_comes_after_a_retry_changes_nothing(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    call = steps.cancel("a", now_text())
    assert store.run(call) == store.run(call) == Cancelled(JobStatus.CANCELED)
    store.run(steps.requeue("a", now_text()))

    assert store.run(call) == Cancelled(JobStatus.CANCELED)

    assert places(client, "a") == ["queue"]
    [job] = child.claim()
    assert store.run(call) == Cancelled(JobStatus.CANCELED)
    assert client.hget("rq:job:a", "mq_stop") is None
    child.work(ok(job), claim=0)
    assert places(client, "a") == ["finished"]


def test_a_copy_of_a_stop_that_comes_after_a_retry_changes_nothing(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    call = steps.cancel("a", now_text())
    assert store.run(call) == store.run(call) == Cancelled(JobStatus.STARTED, stopping=True)
    child.work(error(job), claim=0)
    store.run(steps.requeue("a", now_text()))
    [again] = child.claim()

    assert store.run(call) == Cancelled(JobStatus.CANCELED)

    child.work(ok(again), claim=0)
    assert places(client, "a") == ["finished"]


def test_a_job_that_waits_is_not_retried(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a", due=time.time() + 60), spec("b")]))
    assert store.run(steps.requeue("a", now_text())) == Requeued(JobStatus.SCHEDULED, done=False)
    assert store.run(steps.requeue("b", now_text())) == Requeued(JobStatus.QUEUED, done=False)
    assert places(client, "a") == ["scheduled"]
    assert places(client, "b") == ["queue"]


def test_an_unknown_job_is_not_retried(store: Store) -> None:
    assert store.run(steps.requeue("nobody", now_text())).status is None


def test_a_job_is_deleted_with_all_that_belongs_to_it(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(ok(child.claim()[0]))
    assert store.run(steps.delete("a", now_text())) == "deleted"
    assert [key for key in client.keys("rq:*") if b":a" in key] == []


def test_a_job_that_rq_saved_and_never_enqueued_is_deleted(
    store: Store, client: redis.Redis
) -> None:
    job = Job.create(print, connection=client, id="a")
    job.save()
    client.hdel("rq:job:a", "origin")  # rq 3 writes none
    client.zadd("rq:executions:a", {"1234": 1})
    client.hset("rq:execution:a:1234", "id", "1234")

    assert store.run(steps.delete("a", now_text())) == "deleted"

    assert client.keys("rq:*") == []


def test_a_running_job_is_not_deleted(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.claim()
    assert store.run(steps.delete("a", now_text())) == "refused"
    assert status(client, "a") == b"started"


def test_a_job_that_is_kept_for_ever_is_kept_when_cancelled(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", failure_ttl=-1), spec("b", failure_ttl=-1)]))
    assert cancel(store, "b").status is JobStatus.CANCELED
    [held] = child.claim()
    cancel(store, "a")
    store.run(steps.release([entry(held)], now_text()))
    assert places(client, "a") == places(client, "b") == ["canceled"]
    assert client.ttl("rq:job:a") == client.ttl("rq:job:b") == -1


def test_a_cancelled_job_is_known_for_a_minute_at_least(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    once = steps.enqueue([spec("a", failure_ttl=0)])
    store.run(once)
    cancel(store, "a")
    assert [job.status for job in store.run(once)] == [JobStatus.CANCELED]
    assert 0 < client.ttl("rq:job:a") <= 60


def test_the_attempts_of_a_job_are_counted_on_when_it_is_retried(
    store: Store, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(1))]))
    child.work(error(child.claim()[0]), claim=0)
    child.work(error(child.claim()[0]), claim=0)
    store.run(steps.requeue("a", now_text()))
    stored = store.run(steps.read("a"))
    assert stored is not None
    assert stored.info.attempt == 2
    assert [job.attempt for job in child.claim()] == [3]


@pytest.mark.parametrize("ttl", ["1e400", "nan", "60.5", "1e17", "soon", ""])
def test_a_failure_ttl_that_makes_no_sense_does_not_keep_a_job_from_its_end(
    store: Store, client: redis.Redis, spec: Spec, child: Child, ttl: str
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    client.hset("rq:job:a", "failure_ttl", ttl)
    client.hset("rq:job:b", "failure_ttl", ttl)
    assert store.run(steps.cancel("a", now_text())).status == "canceled"
    child.work(error(child.claim()[0]), claim=0)
    assert [places(client, name) for name in "ab"] == [["canceled"], ["failed"]]
    assert client.ttl("rq:job:a") >= 59
    assert client.ttl("rq:job:b") >= 59
