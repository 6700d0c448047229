"""Jobs are run by real child processes of a real supervisor."""

from collections.abc import Callable

import pytest
from tests.worker.crew import Crew

from msgqueue import JobFailed, JobStatus


def test_a_job_is_run_and_its_result_kept(crew: Crew) -> None:
    crew.start(processes=1)

    job = crew.enqueue("add", 2, 3)

    assert job.result(timeout=5) == 5
    assert job.refresh().status is JobStatus.FINISHED


def test_a_none_that_is_not_kept_is_answered_all_the_same(crew: Crew) -> None:
    crew.start(processes=1)

    jobs = [crew.enqueue("maybe", value) for value in (None, 7)]

    assert [job.result(timeout=5) for job in jobs] == [None, 7]
    client = crew.queue.source.client()
    assert [client.exists(f"rq:results:{job.id}") for job in jobs] == [0, 1]
    assert [job.refresh().status for job in jobs] == [JobStatus.FINISHED] * 2


def test_a_job_that_raises_fails_with_its_traceback_from_the_first_frame_of_its_own(
    crew: Crew,
) -> None:
    crew.start(processes=1)

    job = crew.enqueue("fail", "no such order")

    with pytest.raises(JobFailed) as caught:
        job.result(timeout=5)
    assert (caught.value.type, caught.value.message) == ("ValueError", "no such order")
    assert caught.value.traceback.splitlines()[1].endswith("in fail")


def test_typed_arguments_arrive_as_their_types(crew: Crew) -> None:
    crew.start(processes=1)

    assert crew.enqueue("weekday", "2026-11-24T10:00:00+00:00").result(timeout=5) == 1


def test_jobs_of_one_queue_start_in_the_order_of_their_enqueue(crew: Crew) -> None:
    for number in range(200):
        crew.enqueue("note", number)

    crew.start(processes=1, burst=True).wait(10)

    assert crew.noted() == [str(number) for number in range(200)]


def test_the_queue_named_first_is_emptied_first(crew: Crew) -> None:
    for number in range(10):
        crew.enqueue("note", f"low {number}", queue="default")
        crew.enqueue("note", f"high {number}", queue="high")

    crew.start(processes=1, burst=True).wait(10)

    assert crew.noted()[:10] == [f"high {number}" for number in range(10)]


def test_a_burst_ends_when_the_queues_are_empty(crew: Crew) -> None:
    jobs = [crew.enqueue("add", number, 1) for number in range(500)]

    assert crew.start(processes=2, burst=True).wait(15) == 0

    assert [job.result(timeout=0) for job in jobs] == list(range(1, 501))


def test_many_coroutines_run_at_once(crew: Crew) -> None:
    jobs = [crew.enqueue("nap", 0.5) for _ in range(50)]
    crew.start(processes=1)

    for job in jobs:
        assert job.result(timeout=5) == 0.5


def test_a_long_function_does_not_hold_up_coroutines(
    crew: Crew, eventually: Callable[..., None]
) -> None:
    crew.start(processes=1)
    crew.enqueue("nap", 0.01).result(timeout=5)
    crew.enqueue("sleep", 3.0, "began")
    eventually(lambda: "began" in crew.noted())

    assert crew.enqueue("nap", 0.01).result(timeout=2.5) == 0.01


def test_a_delayed_job_runs_at_its_time(crew: Crew) -> None:
    crew.start(processes=1)

    assert crew.enqueue("add", 1, 1, delay=1).result(timeout=6) == 2


def test_a_failing_job_is_tried_again_as_its_retry_says(crew: Crew) -> None:
    crew.start(processes=1)

    assert crew.enqueue("succeed_at", 3, crew.key("tries")).result(timeout=5) == 3


def test_an_unknown_task_fails_and_the_worker_goes_on(crew: Crew) -> None:
    strange = crew.enqueue_path("os.getcwd")
    crew.offer_last(strange)

    crew.start(processes=1)

    with pytest.raises(JobFailed, match=r"no task 'os\.getcwd' is registered"):
        strange.result(timeout=5)
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2


def test_current_job_and_rqs_get_current_job_name_the_job(crew: Crew) -> None:
    crew.start(processes=1)

    for task in ("own_ids", "own_ids_async"):
        job = crew.enqueue(task)
        assert job.result(timeout=5) == [job.id, job.id, job.id]


def test_a_job_whose_id_is_too_long_to_answer_for_fails_and_the_worker_goes_on(crew: Crew) -> None:
    crew.start(processes=1)
    long = crew.rq.enqueue("tests.worker.app.add", 1, 1, job_id="x" * 2_000)

    with pytest.raises(JobFailed, match="the job's id and queue take more than 960 bytes"):
        crew.queue.job(long.id).result(timeout=5)
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2
