"""A time limit holds whatever the job does; a stop ends a job wherever it stands."""

import time

import pytest
from rq.command import send_stop_job_command
from rq.serializers import JSONSerializer
from tests.conftest import Eventually
from tests.worker.crew import Crew

from msgqueue import JobCancelled, JobFailed, JobStatus


@pytest.mark.parametrize(
    "task",
    [
        "loop_in_python",
        "loop_in_c",
        "match_for_ever",
        "swallow_everything",
        "nap_too_long",
        "hold_the_loop",
    ],
)
def test_promise_7_a_time_limit_holds_within_two_seconds(
    crew: Crew, task: str, eventually: Eventually
) -> None:
    crew.start(processes=1)
    crew.enqueue("add", 1, 1).result(timeout=5)
    began = time.monotonic()

    job = crew.enqueue(task)

    with pytest.raises(
        JobFailed, match="JobTimeout: the job ran longer than its time limit of 1 s"
    ):
        job.result(timeout=10)
    assert time.monotonic() - began < 3
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2


def test_the_traceback_of_a_time_limit_shows_where_the_job_was(crew: Crew) -> None:
    crew.start(processes=1)

    with pytest.raises(JobFailed) as caught:
        crew.enqueue("loop_in_python").result(timeout=5)

    assert "in loop_in_python" in caught.value.traceback


@pytest.mark.parametrize("task", ["sleep", "nap"])
def test_a_running_job_is_stopped_within_a_second(
    crew: Crew, task: str, eventually: Eventually
) -> None:
    crew.start(processes=1)
    job = crew.enqueue(task, 30.0, "began")
    eventually(lambda: "began" in crew.noted())
    began = time.monotonic()

    status = job.cancel()

    assert status is JobStatus.STOPPED
    assert time.monotonic() - began < 1
    with pytest.raises(JobCancelled):
        job.result(timeout=0)


@pytest.mark.parametrize("task", ["hold_the_loop_for_long", "hold_the_interpreter"])
def test_who_keeps_a_coroutine_from_ending_is_to_blame_and_not_that_coroutine(
    crew: Crew, task: str, eventually: Eventually
) -> None:
    crew.start(processes=1)
    neighbour = crew.enqueue("nap", 0.9, "napping", timeout=1)
    eventually(lambda: "napping" in crew.noted())

    holder = crew.enqueue(task, max_deliveries=1)

    with pytest.raises(JobFailed, match="WorkerDied: the job kept the event loop"):
        holder.result(timeout=10)
    assert neighbour.result(timeout=10) == 0.9
    info = neighbour.refresh().info
    assert info is not None
    assert info.attempt == 1


@pytest.mark.parametrize("task", ["loop_in_python", "loop_in_c", "hold_the_interpreter"])
@pytest.mark.parametrize("how", ["ours", "rq's"])
def test_promise_6_a_running_function_is_stopped_within_a_second_in_c_code_too(
    crew: Crew, task: str, how: str, eventually: Eventually
) -> None:
    crew.start(processes=1)
    job = crew.enqueue(task, timeout=60)
    eventually(lambda: job.refresh().status is JobStatus.STARTED)

    if how == "ours":
        job.cancel()
    else:
        send_stop_job_command(crew.redis, job.id, serializer=JSONSerializer)

    eventually(lambda: job.refresh().status.final, 1.0)
    assert job.status in {JobStatus.STOPPED, JobStatus.CANCELED}  # it may not have begun
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2


@pytest.mark.parametrize("options", [{}, {"delay": 60.0}], ids=["queued", "scheduled"])
def test_promise_6_a_job_does_not_start_once_canceled_was_answered(
    crew: Crew, options: dict[str, float]
) -> None:
    job = crew.enqueue("note", "ran", **options)

    assert job.cancel() is JobStatus.CANCELED

    crew.start(processes=1, burst=True).wait(10)
    assert crew.noted() == []


def test_rqs_own_stop_command_stops_a_job(crew: Crew, eventually: Eventually) -> None:
    crew.start(processes=1)
    job = crew.enqueue("sleep", 30.0, "began")
    eventually(lambda: "began" in crew.noted())

    send_stop_job_command(crew.redis, job.id, serializer=JSONSerializer)

    eventually(lambda: job.refresh().status is JobStatus.STOPPED, 1.0)


def test_a_coroutine_that_ignores_its_stop_costs_the_child_but_not_its_neighbours(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1)
    neighbour = crew.enqueue("nap_telling", 2.0, "neighbour", max_deliveries=1)
    stubborn = crew.enqueue("stubborn_nap")
    eventually(lambda: sorted(crew.noted()) == ["neighbour: attempt 1", "stubborn"])

    stubborn.cancel()

    eventually(lambda: stubborn.refresh().status is JobStatus.STOPPED, 2.0)
    assert neighbour.result(timeout=10) == 2.0
    assert crew.noted().count("neighbour: attempt 1") == 2
    assert len(crew.noted()) == 3


def test_a_coroutine_that_holds_the_loop_past_its_limit_costs_the_child_but_not_its_neighbours(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1)
    neighbour = crew.enqueue("nap_telling", 3.0, "neighbour", max_deliveries=1)
    eventually(lambda: crew.noted() == ["neighbour: attempt 1"])

    holder = crew.enqueue("hold_the_loop")

    with pytest.raises(JobFailed, match="JobTimeout"):
        holder.result(timeout=10)
    assert neighbour.result(timeout=10) == 3.0
    assert crew.noted() == ["neighbour: attempt 1"] * 2


def test_what_waits_behind_a_long_job_goes_to_another_child(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=2)
    for _ in range(200):  # until claims are large
        crew.enqueue("nothing")
    crew.enqueue("sleep", 20.0, "began")
    behind = [crew.enqueue("add", number, 0) for number in range(10)]

    for number, job in enumerate(behind):
        assert job.result(timeout=3) == number


def test_an_outcome_does_not_wait_for_the_long_job_behind_it(
    crew: Crew, eventually: Eventually
) -> None:
    for _ in range(200):
        crew.enqueue("nothing")
    before = crew.enqueue("add", 1, 1)
    crew.enqueue("sleep", 4.0, "began")

    crew.start(processes=1)

    assert before.result(timeout=3) == 2
