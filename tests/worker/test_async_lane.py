"""Coroutines run at once in one process, beside functions; neither waits for the other."""

import signal

import pytest
from tests.conftest import Eventually
from tests.worker.crew import Crew

from msgqueue import JobStatus
from msgqueue.errors import ConfigurationError
from msgqueue.worker.supervisor import Supervisor


@pytest.mark.parametrize("count", [100, 300])
def test_as_many_coroutines_run_at_once_as_the_concurrency_says(crew: Crew, count: int) -> None:
    crew.start(processes=1, concurrency=count)

    jobs = [crew.enqueue("meet", crew.key("met"), count) for _ in range(count)]

    for job in jobs:
        job.result(timeout=15)


def test_a_concurrency_beyond_what_a_child_can_hold_is_refused(crew: Crew) -> None:
    with pytest.raises(ConfigurationError, match="concurrency=50000 cannot be used"):
        Supervisor(crew.queue, concurrency=50_000)


def test_functions_and_coroutines_of_one_queue_are_both_run(crew: Crew) -> None:
    crew.start(processes=1, concurrency=10)
    naps = [crew.enqueue("nap", 0.01) for _ in range(300)]
    sums = [crew.enqueue("add", number, 1) for number in range(300)]
    naps += [crew.enqueue("nap", 0.01) for _ in range(300)]

    assert [job.result(timeout=15) for job in sums] == list(range(1, 301))
    assert {job.result(timeout=15) for job in naps} == {0.01}


def test_functions_are_run_while_all_places_of_the_async_lane_are_taken(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1, concurrency=2)
    naps = [crew.enqueue("nap", 30.0, "napping", queue="high") for _ in range(4)]
    eventually(lambda: crew.noted() == ["napping"] * 2)

    assert [crew.enqueue("add", number, 1).result(timeout=5) for number in range(3)] == [1, 2, 3]
    assert [nap.refresh().status for nap in naps[:2]] == [JobStatus.STARTED] * 2


def test_a_stopped_coroutine_costs_nobody_the_process(crew: Crew, eventually: Eventually) -> None:
    crew.start(processes=1)
    process = crew.enqueue("own_pid").result(timeout=5)
    nap = crew.enqueue("nap", 30.0, "napping")
    eventually(lambda: "napping" in crew.noted())

    assert nap.cancel() is JobStatus.STOPPED

    assert crew.enqueue("own_pid_async").result(timeout=5) == process


def test_a_burst_ends_after_its_coroutines(crew: Crew) -> None:
    jobs = [crew.enqueue("nap", 0.05) for _ in range(500)]

    assert crew.start(processes=2, burst=True).wait(15) == 0

    assert {job.result(timeout=0) for job in jobs} == {0.05}


def test_a_coroutine_runs_and_is_reported_while_a_function_takes_long(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1, queues=["default"])
    busy = crew.enqueue("sleep", 3.0, "busy")
    eventually(lambda: "busy" in crew.noted())

    assert crew.enqueue("nap", 0.0).result(timeout=5) == 0.0

    assert busy.refresh().status is JobStatus.STARTED


def test_a_coroutine_is_reported_though_its_queue_is_set_aside_for_the_functions_in_it(
    crew: Crew, eventually: Eventually
) -> None:
    supervisor = crew.start(processes=1, queues=["default"])
    busy = crew.enqueue("sleep", 0.6, "busy")
    eventually(lambda: "busy" in crew.noted())
    assert crew.enqueue("nap", 0.0).result(timeout=5) == 0.0  # the async lane claims for itself

    nap = crew.enqueue("nap", 0.7)
    function = crew.enqueue("add", 1, 2)  # it has to wait: no more is claimed for a second
    eventually(lambda: function.refresh().status is JobStatus.STARTED)
    supervisor.signal(signal.SIGSTOP)  # nobody wakes the child again

    assert busy.result(timeout=5) == 0.6
    assert function.result(timeout=5) == 3
    assert nap.result(timeout=5) == 0.7
    supervisor.signal(signal.SIGCONT)
