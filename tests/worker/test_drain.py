"""SIGTERM drains: what runs is given time, what was not begun goes back."""

import os
import signal
import time

import pytest
from tests.conftest import Eventually
from tests.worker.crew import Crew

from msgqueue import JobStatus


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_supervisor_ends_at_once(
    crew: Crew, eventually: Eventually, number: signal.Signals
) -> None:
    supervisor = crew.start(processes=2)
    crew.enqueue("add", 1, 1).result(timeout=5)

    supervisor.signal(number)

    assert supervisor.wait(1) == 0


def test_a_running_job_is_finished_before_the_end(crew: Crew, eventually: Eventually) -> None:
    supervisor = crew.start(processes=1)
    job = crew.enqueue("sleep", 1.0, "began")
    eventually(lambda: "began" in crew.noted())

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait(3) == 0
    assert job.result(timeout=0) == 1.0


def test_held_jobs_go_back_in_order_and_lose_no_attempt(crew: Crew, eventually: Eventually) -> None:
    for _ in range(200):
        crew.enqueue("nothing")
    crew.enqueue("sleep", 1.0, "long")
    jobs = [crew.enqueue("note", number) for number in range(20)]
    supervisor = crew.start(processes=1)
    eventually(lambda: crew.noted() == ["long"])

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait(3) == 0
    assert [job.refresh().status for job in jobs] == [JobStatus.QUEUED] * 20
    assert crew.rq.job_ids == [job.id for job in jobs]
    assert {job.info.attempt for job in jobs if job.info} == {0}


def test_at_the_end_of_the_grace_time_a_running_job_goes_back_and_loses_no_attempt(
    crew: Crew, eventually: Eventually
) -> None:
    supervisor = crew.start(processes=1, grace=0.5)
    job = crew.enqueue("sleep", 30.0, "began")
    eventually(lambda: "began" in crew.noted())

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait(3) == 0
    info = job.refresh().info
    assert info is not None
    assert (info.status, info.attempt) == (JobStatus.QUEUED, 0)


def test_a_second_signal_ends_at_once(crew: Crew, eventually: Eventually) -> None:
    supervisor = crew.start(processes=1, grace=60)
    job = crew.enqueue("sleep", 30.0, "began")
    eventually(lambda: "began" in crew.noted())

    supervisor.signal(signal.SIGTERM)
    time.sleep(0.2)  # two at once are read as one
    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait(2) == 0
    assert job.refresh().status is JobStatus.QUEUED


def test_no_process_is_left_after_the_end(crew: Crew, eventually: Eventually) -> None:
    supervisor = crew.start(processes=2)
    eventually(lambda: len(supervisor.children()) == 2)
    children = supervisor.children()

    supervisor.signal(signal.SIGTERM)
    supervisor.wait(3)

    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_children_do_not_inherit_secrets(crew: Crew) -> None:
    crew.start(env={"MSGQUEUE_API_KEYS": "a-key"}, processes=1)

    assert crew.enqueue("environment").result(timeout=5) == ["MSGQUEUE_REDIS_URL"]
