"""A child that has run its number of jobs, or takes too much memory, is replaced."""

import os
import signal
from collections import Counter
from typing import Any

import pytest
from tests.conftest import Eventually
from tests.worker.crew import Crew, Process

from msgqueue import JobFailed, JobStatus
from msgqueue.errors import ConfigurationError
from msgqueue.worker.resident import resident
from msgqueue.worker.supervisor import Supervisor

ROOM = 100  # MiB that jobs may take beyond what an idle child takes


def start_with_memory_limit(crew: Crew, eventually: Eventually) -> Process:
    """One child, which may take ROOM more than it does."""
    idle = crew.start(processes=1)
    eventually(lambda: crew.redis.scard("rq:workers") == 1)
    taken = resident(idle.children()[0])
    idle.end()
    return crew.start(processes=1, max_memory=taken + ROOM)


@pytest.mark.parametrize("task", ["own_pid", "own_pid_async"])
def test_a_child_runs_no_more_than_max_jobs(crew: Crew, task: str) -> None:
    jobs = [crew.enqueue(task) for _ in range(25)]
    crew.start(processes=1, max_jobs=10)

    pids = Counter(job.result(timeout=10) for job in jobs)

    assert sorted(pids.values()) == [5, 10, 10]
    attempts = [info.attempt for job in jobs if (info := job.refresh().info)]
    assert attempts == [1] * 25


def test_a_child_that_has_run_max_jobs_is_replaced_while_its_coroutines_go_on(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1, max_jobs=2)
    naps = [crew.enqueue("nap", 2.0, "napping") for _ in range(2)]
    eventually(lambda: crew.noted() == ["napping"] * 2)

    assert crew.enqueue("add", 1, 1).result(timeout=1.5) == 2
    assert [nap.result(timeout=5) for nap in naps] == [2.0, 2.0]


def test_a_burst_with_max_jobs_runs_everything(crew: Crew) -> None:
    jobs = [crew.enqueue("add", number, 1) for number in range(50)]

    assert crew.start(processes=2, burst=True, max_jobs=7).wait(20) == 0

    assert [job.result(timeout=0) for job in jobs] == list(range(1, 51))


def test_a_job_that_takes_too_much_memory_fails_and_says_how_much(
    crew: Crew, eventually: Eventually
) -> None:
    start_with_memory_limit(crew, eventually)

    job = crew.enqueue("hoard", 3 * ROOM)

    told = (
        r"MemoryLimit: .* more than max_memory=\d+.*; peak memory \d+ MiB, \d\.\d s after it began"
    )
    with pytest.raises(JobFailed, match=told):
        job.result(timeout=10)
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2


def test_a_child_that_leaked_is_replaced_and_no_job_is_lost(
    crew: Crew, eventually: Eventually
) -> None:
    start_with_memory_limit(crew, eventually)

    jobs = [crew.enqueue("leak", ROOM // 3) for _ in range(9)]

    pids = [job.result(timeout=10) for job in jobs]
    assert len(set(pids)) > 1
    assert {job.refresh().status for job in jobs} == {JobStatus.FINISHED}


def test_a_coroutine_that_takes_too_much_memory_fails_and_its_neighbours_run_again(
    crew: Crew, eventually: Eventually
) -> None:
    start_with_memory_limit(crew, eventually)
    neighbours = [crew.enqueue("nap", 1.0, "napping") for _ in range(3)]
    eventually(lambda: len(crew.noted()) == 3)

    hoarding = crew.enqueue("hoard_async", 3 * ROOM)

    with pytest.raises(JobFailed, match="MemoryLimit"):
        hoarding.result(timeout=10)
    assert [job.result(timeout=10) for job in neighbours] == [1.0] * 3
    assert [info.attempt for job in neighbours if (info := job.refresh().info)] == [1] * 3


def test_a_child_whose_app_alone_takes_more_than_max_memory_still_works(crew: Crew) -> None:
    crew.start(processes=1, max_memory=1)

    assert [crew.enqueue("add", 1, number).result(timeout=10) for number in range(3)] == [1, 2, 3]


def test_a_job_that_runs_out_of_its_own_limit_of_memory_fails_alone(crew: Crew) -> None:
    crew.start(processes=1)

    with pytest.raises(JobFailed, match="MemoryError"):
        crew.enqueue("out_of_memory").result(timeout=10)
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2


def test_a_killed_child_is_replaced_within_a_second(crew: Crew, eventually: Eventually) -> None:
    supervisor = crew.start(processes=1)
    crew.enqueue("add", 1, 1).result(timeout=5)
    (killed,) = supervisor.children()

    os.kill(killed, signal.SIGKILL)

    eventually(lambda: supervisor.children() not in ([], [killed]), 1.0)
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2


@pytest.mark.parametrize("name", ["max_jobs", "max_memory"])
def test_a_limit_that_allows_nothing_is_refused(crew: Crew, name: str) -> None:
    options: dict[str, Any] = {name: 0}
    with pytest.raises(ConfigurationError, match=f"{name}=0 cannot be used"):
        Supervisor(crew.queue, **options)
