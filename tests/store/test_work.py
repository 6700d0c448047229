"""Claiming and reporting in one step, fenced and repeatable."""

import time
from collections.abc import Callable

import pytest
import redis
from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, entry, error, now_text, ok, places, status

from msgqueue.jobs import JobStatus, Outcome, Retry
from msgqueue.store import steps
from msgqueue.store.run import Store

NewChild = Callable[..., Child]


def test_a_claim_takes_the_head_and_marks_it_started(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    [job] = child.claim()
    assert (job.id, job.queue, job.timeout, job.attempt, job.rq_only) == (
        "a",
        "default",
        30,
        1,
        False,
    )
    assert job.data == b'["operator.add", null, [1, 2], {}]'
    assert places(client, "a") == ["wip"]
    assert status(client, "a") == b"started"
    assert places(client, "b") == ["queue"]


def test_a_claim_takes_no_more_than_its_share_of_a_queue(
    store: Store, spec: Spec, new_child: NewChild
) -> None:
    first, second = new_child(), new_child()
    store.run(steps.enqueue([spec(name) for name in "abcde"]))
    assert [job.id for job in first.claim(64)] == ["a", "b", "c"]
    assert [job.id for job in second.claim(64)] == ["d"]
    assert [job.id for job in first.claim(64)] == ["e"]


def test_a_claim_follows_the_order_of_the_queues(
    store: Store, spec: Spec, new_child: NewChild
) -> None:
    store.run(steps.enqueue([spec("low", queue="low"), spec("high", queue="high")]))
    assert [job.id for job in new_child("high", "low").claim(5)] == ["high", "low"]


def test_the_same_call_again_answers_with_the_same_jobs(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    first = child.work(claim=2)
    assert child.work(claim=2, again=True) == first
    assert places(client, "c") == ["queue"]


def test_a_late_copy_of_an_earlier_call_is_refused(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.claim()
    child.claim()
    child.seq -= 2
    assert child.work(claim=1).state == "old"


def test_a_worker_that_is_not_registered_is_told_so(
    store: Store, client: redis.Redis, child: Child
) -> None:
    client.delete(f"rq:worker:{child.lane.worker}")
    assert child.work().state == "missing"


def test_an_outcome_is_recorded_as_rq_does(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", result_ttl=60)]))
    child.work(ok(child.claim()[0]))
    assert places(client, "a") == ["finished"]
    job = Job.fetch("a", connection=client, serializer=JSONSerializer)
    assert (job.get_status(), job.return_value(), job.worker_name) == (
        "finished",
        3,
        child.lane.worker,
    )
    result = job.latest_result()
    assert result is not None
    assert result.type is Result.Type.SUCCESSFUL
    assert job.ended_at is not None
    assert 0 < client.ttl("rq:job:a") <= 60
    assert 0 < client.ttl("rq:results:a") <= 60


def test_a_finished_job_is_small(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(ok(child.claim()[0]))
    sizes = [client.memory_usage(key) or 0 for key in ("rq:results:a", "rq:job:a")]
    assert 0 < sum(sizes) < 1200


def test_a_repeated_report_is_accepted_in_silence(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    child.work(ok(job), claim=0)
    assert child.work(ok(job), claim=0, again=True).refused == ()
    assert client.xlen("rq:results:a") == 1


def test_a_report_of_a_run_that_was_taken_over_is_refused(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    store.run(steps.release([entry(job)], "now"))
    answer = child.work(ok(job), claim=0)
    assert answer.refused == (f"a:{job.execution}",)
    assert child.work(ok(job), claim=0, again=True).refused == answer.refused
    assert places(client, "a") == ["queue"]


def test_an_error_without_retry_fails(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(error(child.claim()[0], "Traceback\nValueError: no"))
    assert places(client, "a") == ["failed"]
    job = Job.fetch("a", connection=client, serializer=JSONSerializer)
    result = job.latest_result()
    assert result is not None
    assert result.exc_string == "Traceback\nValueError: no"


def test_an_error_with_retry_goes_to_the_back_and_counts(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(2)), spec("b")]))
    child.work(error(child.claim()[0]), claim=0)
    assert client.lrange("rq:queue:default", 0, -1) == [b"b", b"a"]
    assert client.hget("rq:job:a", "retries_left") == b"1"
    assert [job.attempt for job in child.claim(2)] == [1, 2]


def test_a_retry_after_a_pause_is_scheduled(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", retry=Retry(2, backoff=5))]))
    before = time.time()
    child.work(error(child.claim()[0]))
    assert places(client, "a") == ["scheduled"]
    due = client.zscore("rq:scheduled:default", "a")
    assert due is not None
    assert before + 5 <= due <= time.time() + 6.1


@pytest.mark.parametrize(("retries", "place"), [(b"1:0:0", "queue"), (b"0:0:0", "failed")])
def test_a_returned_retry_runs_again_up_to_its_max(
    store: Store, client: redis.Redis, spec: Spec, child: Child, retries: bytes, place: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    child.work(Outcome("default", "a", job.execution, "retry", retries, 1.0, 2.0), claim=0)
    assert places(client, "a") == [place]


def test_a_job_without_result_ttl_is_deleted(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", result_ttl=0)]))
    child.work(ok(child.claim()[0]))
    assert places(client, "a") == []
    assert not client.exists("rq:job:a", "rq:results:a")


def test_a_result_may_be_kept_for_ever(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", result_ttl=-1)]))
    child.work(ok(child.claim()[0]))
    assert client.ttl("rq:job:a") == client.ttl("rq:results:a") == -1


def test_a_second_copy_of_an_id_is_dropped(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.rpush("rq:queue:default", "a", "a")
    assert [job.id for job in child.claim(3)] == ["a"]
    client.rpush("rq:queue:default", "a")
    assert child.claim(3) == ()
    assert places(client, "a") == ["wip"]


def test_dead_ids_do_not_hide_the_jobs_behind_them(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    client.rpush("rq:queue:default", *[f"dead{n}" for n in range(60)])
    store.run(steps.enqueue([spec("a")]))
    assert [job.id for job in child.claim()] == ["a"]


def test_a_cancelled_id_in_a_list_is_dropped(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset("rq:job:a", "status", "canceled")
    assert child.claim() == ()
    assert client.llen("rq:queue:default") == 0


@pytest.mark.parametrize("entry_stays", [True, False])
def test_a_run_that_rq_cancelled_leaves_one_result_where_its_worker_lets_it_end(
    store: Store, client: redis.Redis, spec: Spec, child: Child, entry_stays: bool
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset(f"rq:worker:{child.lane.worker}", "mq_lets_end", 1)
    (job,) = child.claim()
    client.hset("rq:job:a", "status", "canceled")  # as rq's own cancel does
    client.zadd("rq:canceled:default", {"a": 1.0})
    if not entry_stays:
        client.zrem("rq:wip:default", entry(job).member)

    said = child.beat(entry(job))
    worked = child.work(ok(job))
    settled = child.settle(outcomes=(ok(job),))

    assert said.lost == said.dropped == {entry(job).member}
    assert worked.refused == ()
    assert settled.refused == (entry(job).member,)
    assert client.xlen("rq:results:a") == 1
    assert places(client, "a") == ["canceled"]
    assert status(client, "a") == b"canceled"
    assert client.ttl("rq:job:a") > 0


def test_a_run_that_rq_cancelled_and_another_worker_took_over_is_refused(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset(f"rq:worker:{child.lane.worker}", "mq_lets_end", 1)
    (job,) = child.claim()
    client.zrem("rq:wip:default", entry(job).member)
    client.hset("rq:job:a", mapping={"status": "canceled", "mq_exec": "0123456789ab.1"})

    assert child.work(ok(job)).refused == (entry(job).member,)
    assert client.xlen("rq:results:a") == 0


def test_nothing_is_claimed_while_rq_is_suspended(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.set("rq:suspended", 1)
    assert child.claim() == ()


def test_a_job_under_which_a_process_died_is_claimed_alone(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    client.hset("rq:job:b", mapping={"mq_deaths": 1, "mq_exec": "0123456789ab.1"})
    assert [job.id for job in child.claim(3)] == ["a"]
    assert [job.id for job in child.claim(3)] == ["b"]
    assert [job.id for job in child.claim(3)] == ["c"]


def test_a_damaged_job_is_set_aside_with_its_raw_bytes(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    client.delete("rq:job:a")
    client.set("rq:job:a", b"\xffno hash")
    client.hset("rq:job:b", "timeout", "soon")
    assert [job.id for job in child.claim(3)] == ["c"]
    assert client.get("msgqueue:damaged:a") == b"\xffno hash"
    assert client.hget("msgqueue:damaged:b", "timeout") == b"soon"
    assert client.zrange("msgqueue:damaged", 0, -1) == [b"a", b"b"]


def test_a_result_that_cannot_be_recorded_takes_no_other_with_it(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    one, two = child.claim(2)
    client.set("rq:results:a", "no stream")
    child.work(ok(one), ok(two))
    assert places(client, "a") == ["finished"] or client.exists("msgqueue:damaged:a")
    assert places(client, "b") == ["finished"]
    assert client.zcard("rq:wip:default") == 0


def test_a_report_under_full_memory_is_taken(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    [job] = child.claim()
    client.config_set("maxmemory", 1)
    try:
        assert [claimed.id for claimed in child.work(ok(job)).claimed] == ["b"]
    finally:
        client.config_set("maxmemory", 0)
    assert places(client, "a") == ["finished"]


def test_a_job_that_was_deleted_while_it_ran_leaves_nothing(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    Job.fetch("a", connection=client, serializer=JSONSerializer).delete()
    child.work(ok(job), claim=0)
    assert places(client, "a") == []
    assert not client.exists("rq:job:a", "rq:results:a")


def test_counts_tell_every_place(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec(), spec(), spec(), spec(due=time.time() + 60)]))
    one, two = child.claim(2)
    child.work(ok(one), error(two), claim=0)
    assert store.run(steps.counts(["default"]))["default"] == {
        JobStatus.QUEUED: 1,
        JobStatus.STARTED: 0,
        JobStatus.SCHEDULED: 1,
        JobStatus.DEFERRED: 0,
        JobStatus.FINISHED: 1,
        JobStatus.FAILED: 1,
        JobStatus.CANCELED: 0,
    }


def test_a_failure_is_known_for_a_minute_at_least(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    once = steps.enqueue([spec("a", failure_ttl=0)])
    store.run(once)
    child.work(error(child.claim()[0]), claim=0)
    assert [job.status for job in store.run(once)] == [JobStatus.FAILED]
    assert 0 < client.ttl("rq:results:a") <= 60
    assert 0 < client.ttl("rq:job:a") <= 60


def test_an_enqueue_that_comes_late_finds_that_the_job_has_run_and_expired(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    once = steps.enqueue([spec("a", result_ttl=1)])
    store.run(once)
    child.work(ok(child.claim()[0]), claim=0)
    client.delete("rq:job:a", "rq:results:a")  # its second is over
    assert [job.status for job in store.run(once)] == [JobStatus.FINISHED]
    assert places(client, "a") == ["finished"]  # until it is trimmed


def test_results_of_repeated_runs_go_with_a_job_that_keeps_none(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a", result_ttl=100, failure_ttl=-1)]))
    [first] = child.claim()
    [second] = child.work(ok(first, b"1:0:0:Mw==")._replace(kind="retry")).claimed
    assert client.ttl("rq:results:a") == -1

    child.work(ok(second)._replace(kind="none"), claim=0)

    assert 0 < client.ttl("rq:results:a") <= client.ttl("rq:job:a") <= 100


def test_a_call_that_is_sent_again_once_all_was_taken_over_claims_the_same_job_anew(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [unread] = child.claim()
    client.delete(f"rq:worker:{child.lane.worker}")  # it was away for over a minute
    store.run(steps.release([entry(unread)], now_text()))
    child.seq = 0  # of the last call that was answered
    child.beat()

    [job] = child.claim()

    assert (job.id, job.execution) == ("a", unread.execution)
    assert places(client, "a") == ["wip"]
