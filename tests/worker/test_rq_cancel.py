"""rq's own cancel and delete, of jobs that run under RqWorker and under our own supervisor."""

import pytest
from rq import Callback, Retry, Worker
from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer
from tests.conftest import Eventually
from tests.store.conftest import places
from tests.worker import plain
from tests.worker.crew import Crew
from tests.worker.deployment import Deployment


def shown(rq: Deployment, job: Job) -> bool:
    """Whether rq's own cancel finds the execution, and takes its entry away."""
    return bool(rq.job(job).get_executions())


def await_beat(rq: Deployment, eventually: Eventually) -> None:
    (worker,) = Worker.all(connection=rq.redis)
    last = rq.redis.hget(worker.key, "last_heartbeat")
    eventually(lambda: rq.redis.hget(worker.key, "last_heartbeat") != last)


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_run_that_rq_cancels_goes_on_to_its_end_and_keeps_its_result(
    rq: Deployment, eventually: Eventually, is_shown: bool
) -> None:
    job = rq.queue.enqueue(plain.wait_for, "end", on_success=Callback(plain.succeeded))
    dependent = rq.queue.enqueue(plain.note, "never", depends_on=job)
    worker = rq.start()
    eventually(lambda: rq.noted() == ["waits"])
    eventually(lambda: shown(rq, job))
    if not is_shown:
        rq.redis.delete(f"rq:executions:{job.id}")

    rq.job(job).cancel()
    for _ in range(2):  # the second beat surely sees it
        await_beat(rq, eventually)
    plain.note_to(rq.notes, "end")
    eventually(lambda: rq.noted()[-1] == f"{job.id} gave end")
    after = rq.queue.enqueue(plain.pids)
    eventually(lambda: rq.job(after).get_status() == "finished")

    assert job.return_value() == "end"
    assert rq.job(job).get_status() == "canceled"
    assert places(rq.redis, job.id) == ["canceled"]
    assert rq.job(dependent).get_status() == "deferred"
    assert rq.redis.zcard("rq:wip:default") == 0
    assert [worker.pid] == list(after.return_value() or ())[1:]


def test_a_run_whose_job_rq_deletes_goes_on_to_its_end_and_leaves_nothing(
    rq: Deployment, eventually: Eventually
) -> None:
    job = rq.queue.enqueue(plain.wait_for, "end")
    rq.start()
    eventually(lambda: rq.noted() == ["waits"])

    rq.job(job).delete()
    for _ in range(2):
        await_beat(rq, eventually)
    plain.note_to(rq.notes, "end")

    eventually(lambda: rq.noted()[-1] == "over")
    eventually(lambda: rq.redis.zcard("rq:wip:default") == 0)
    assert not [key for key in rq.redis.keys("rq:*") if job.id.encode() in key]


def test_a_run_that_rq_cancelled_and_that_fails_tells_why_and_is_not_retried(
    rq: Deployment, eventually: Eventually
) -> None:
    job = rq.queue.enqueue(plain.wait_and_fail, "end", retry=Retry(3))
    rq.start()
    eventually(lambda: rq.noted() == ["waits"])
    rq.job(job).cancel()

    plain.note_to(rq.notes, "end")
    eventually(lambda: job.latest_result() is not None)

    result = job.latest_result()
    assert result is not None
    assert result.type is Result.Type.FAILED
    assert places(rq.redis, job.id) == ["canceled"]
    assert rq.job(job).get_status() == "canceled"


def test_a_run_of_a_task_that_rq_cancels_is_ended(crew: Crew, eventually: Eventually) -> None:
    crew.start(processes=1)
    job = crew.enqueue("sleep", 60.0, "began")
    eventually(lambda: crew.noted() == ["began"])

    Job.fetch(job.id, crew.redis, serializer=JSONSerializer).cancel()
    after = crew.enqueue("add", 1, 2)

    assert after.result(timeout=10) == 3
    assert places(crew.redis, job.id) == ["canceled"]
