"""Whatever a job does to its process, it ends alone, and the next job sees a clean one."""

import pytest
from tests.conftest import Eventually
from tests.worker import dirty
from tests.worker.crew import Crew
from tests.worker.test_deaths import alive

from msgqueue import JobFailed


@pytest.mark.parametrize("how", dirty.WAYS)
def test_the_next_job_sees_a_clean_process_whatever_a_job_changed(crew: Crew, how: str) -> None:
    crew.start(processes=1)
    before = crew.enqueue("surroundings").result(timeout=5)

    assert crew.enqueue("make_dirty", how).result(timeout=5) == how

    assert crew.enqueue("surroundings").result(timeout=5) == before


@pytest.mark.parametrize("how", dirty.WAYS)
def test_the_next_job_of_the_same_claim_sees_a_clean_process(crew: Crew, how: str) -> None:
    before = crew.enqueue("surroundings")
    jobs = [crew.enqueue("make_dirty", how) for _ in range(2)]
    after = crew.enqueue("surroundings")

    crew.start(processes=1)

    assert after.result(timeout=10) == before.result(timeout=5)
    assert [job.result(timeout=5) for job in jobs] == [how] * 2
    attempts = [info.attempt for job in (*jobs, after) if (info := job.refresh().info)]
    assert attempts == [1] * 3


@pytest.mark.parametrize(
    "how", ["directory", "environment", "umask", "locale", "output", "descriptor", "thread"]
)
def test_the_next_job_sees_a_clean_process_after_a_coroutine(crew: Crew, how: str) -> None:
    crew.start(processes=1)
    before = crew.enqueue("surroundings").result(timeout=5)

    assert crew.enqueue("make_dirty_async", how).result(timeout=5) == how

    assert crew.enqueue("surroundings").result(timeout=5) == before


def test_a_coroutine_that_ends_leaves_a_running_function_what_it_has_changed(crew: Crew) -> None:
    crew.start(processes=1)
    function = crew.enqueue("redirect_for_a_while")
    while not function.refresh().status.final:
        crew.enqueue("nap", 0.01).result(timeout=5)

    assert function.result(timeout=5) == 1.0


def test_functions_beside_a_job_that_closes_everything_are_run_once(crew: Crew) -> None:
    jobs = [crew.enqueue("note", number) for number in range(20)]
    jobs.insert(10, crew.enqueue("make_dirty", "closed", queue="high"))

    crew.start(processes=1)

    for job in jobs:
        job.result(timeout=10)
    assert crew.noted() == [str(number) for number in range(20)]


def test_coroutines_beside_a_job_that_closes_everything_run_again(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1)
    naps = [crew.enqueue("nap", 1.0, "napping") for _ in range(3)]
    eventually(lambda: crew.noted() == ["napping"] * 3)

    assert crew.enqueue("make_dirty", "closed").result(timeout=5) == "closed"

    assert [nap.result(timeout=10) for nap in naps] == [1.0] * 3
    assert [info.attempt for nap in naps if (info := nap.refresh().info)] == [1] * 3


@pytest.mark.parametrize("task", ["leave_a_fork", "leave_a_fork_async", "leave_a_fork_that_awaits"])
def test_a_process_that_a_job_forked_does_not_go_on_as_a_worker(
    crew: Crew, eventually: Eventually, task: str
) -> None:
    crew.start(processes=1)
    worker = crew.enqueue("own_pid").result(timeout=5)

    pid, forked = crew.enqueue(task).result(timeout=5)

    eventually(lambda: not alive(forked))
    assert pid == worker
    assert crew.enqueue("own_pid").result(timeout=5) == worker


def test_a_job_may_start_processes(crew: Crew) -> None:
    crew.start(processes=1)

    assert crew.enqueue("use_a_process").result(timeout=5) == 0
    assert crew.noted() == ["forked"]


@pytest.mark.parametrize("task", ["end_oddly", "end_oddly_async"])
@pytest.mark.parametrize("how", dirty.ENDS)
def test_a_job_that_ends_oddly_fails_alone(crew: Crew, task: str, how: str) -> None:
    crew.start(processes=1)
    worker = crew.enqueue("own_pid").result(timeout=5)

    with pytest.raises(JobFailed) as caught:
        crew.enqueue(task, how).result(timeout=5)

    assert caught.value.traceback
    assert crew.enqueue("own_pid").result(timeout=5) == worker
