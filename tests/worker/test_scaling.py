"""How many children there should be, by what is seen; and that there are."""

import time
from dataclasses import replace

import pytest
from rq import Worker
from rq.command import send_shutdown_command
from tests.conftest import Eventually
from tests.worker.crew import Crew

from msgqueue import ConfigurationError, JobStatus, Supervisor, TaskQueue
from msgqueue.worker.scaling import QUIET, Bounds, Course, Seen, bounds_of, decide, parse

BOUNDS = Bounds(2, 8, wait_target=1.0)


def course(wanted: int) -> Course:
    return Course(wanted, pressed_at=0.0)


def seen(at: float = 0.0, waited: float = 0.0, busy: int = 0) -> Seen:
    return Seen(at, waited, busy)


def wanted(start: Course, *observed: Seen) -> int:
    """What is wanted after these observations."""
    for one in observed:
        start = decide(BOUNDS, start, one)
    return start.wanted


def test_a_job_that_waits_longer_than_the_target_brings_more_children() -> None:
    assert wanted(course(2), seen(waited=1.5, busy=2)) == 3
    assert wanted(course(4), seen(waited=1.5, busy=4)) == 6


def test_a_job_that_waits_less_than_the_target_brings_none() -> None:
    assert wanted(course(2), seen(waited=0.9, busy=2)) == 2


def test_children_that_are_idle_or_starting_are_waited_for_before_there_are_more() -> None:
    assert wanted(course(4), seen(waited=60, busy=3)) == 4


def test_there_are_never_more_than_the_highest_number() -> None:
    assert wanted(course(7), seen(waited=60, busy=7)) == 8
    assert wanted(course(8), seen(waited=60, busy=8)) == 8


def test_children_that_nobody_needed_for_a_while_go() -> None:
    quiet = [seen(at=float(second), busy=3) for second in range(int(QUIET) + 1)]

    assert wanted(course(8), *quiet[:-1]) == 8
    assert wanted(course(8), *quiet) == 3


def test_there_are_never_fewer_than_the_lowest_number() -> None:
    assert wanted(course(8), *(seen(at=float(second)) for second in range(100))) == 2


def test_one_busy_moment_keeps_what_it_needed_for_the_whole_while() -> None:
    quiet = [seen(at=float(second), busy=1) for second in range(int(QUIET) + 1)]
    quiet[5] = replace(quiet[5], busy=6)

    assert wanted(course(8), *quiet) == 6


def test_a_load_at_the_edge_does_not_swing_the_number() -> None:
    now = course(2)
    changes = 0
    for second in range(600):  # three are needed, and every job waits a little
        busy = min(3, now.wanted)
        after = decide(BOUNDS, now, seen(float(second), 1.2 if busy < 3 else 0.4, busy))
        changes += after.wanted != now.wanted
        now = after

    assert (now.wanted, changes) == (3, 1)


def test_a_number_follows_the_busiest_moment_of_the_last_while() -> None:
    falling = [seen(at=float(second), busy=max(0, 6 - second)) for second in range(40)]

    assert wanted(course(8), *falling[: int(QUIET) + 1]) == 5
    assert wanted(course(8), *falling[: int(QUIET) + 3]) == 3


def test_a_change_says_why() -> None:
    grown = decide(BOUNDS, course(2), seen(waited=3.21, busy=2))
    assert grown.why == "the oldest job has waited 3.2 s and all 2 are busy"

    shrunk = decide(BOUNDS, course(8), seen(at=QUIET, busy=3))
    assert shrunk.why == "at most 3 were busy for 30 s"

    assert decide(BOUNDS, course(2), seen(waited=0.5, busy=2)).why == ""


def test_processes_are_a_number_or_a_range() -> None:
    assert parse("4") == 4
    assert parse("2-8") == (2, 8)
    assert bounds_of(4) == Bounds(4, 4)
    assert bounds_of((2, 8), 0.5) == Bounds(2, 8, 0.5)


@pytest.mark.parametrize("text", ["", "two", "2-", "-8", "2-8-9", "1.5"])
def test_a_range_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="give a number, 4, or a range, 2-8"):
        parse(text)


@pytest.mark.parametrize("processes", [0, -1, (0, 2), (3, 2), (1, 2, 3), True])
def test_a_range_that_makes_no_sense_is_told(processes: int) -> None:
    with pytest.raises(ConfigurationError, match="processes="):
        Supervisor(TaskQueue(), processes)


def test_a_target_that_makes_no_sense_is_told() -> None:
    with pytest.raises(ConfigurationError, match="wait_target=-1"):
        Supervisor(TaskQueue(), (1, 2), wait_target=-1)


def test_children_come_with_the_load_and_the_busy_ones_stay(
    crew: Crew, eventually: Eventually
) -> None:
    for number in range(6):
        crew.enqueue("sleep", 4.0, f"{number}")
    supervisor = crew.start(processes=(1, 3), claim=1, wait_target=0.3)

    eventually(lambda: len(supervisor.children()) == 3, 8.0)
    eventually(lambda: len(crew.noted()) == 6, 15.0)
    assert sorted(crew.noted()) == sorted(map(str, range(6)))


def test_rqs_shutdown_command_ends_a_child_for_good(crew: Crew, eventually: Eventually) -> None:
    supervisor = crew.start(processes=(2, 2))
    eventually(lambda: len(Worker.all(connection=crew.redis)) == 2)

    send_shutdown_command(crew.redis, Worker.all(connection=crew.redis)[0].name)

    eventually(lambda: len(supervisor.children()) == 1)
    time.sleep(1.5)  # more than a look; that none is started has no event
    assert len(supervisor.children()) == 1


def test_two_supervisors_that_scale_share_the_queues_and_run_each_job_once(
    crew: Crew, eventually: Eventually
) -> None:
    both = [crew.start(processes=(1, 3), claim=1, wait_target=0.3) for _ in range(2)]
    jobs = [crew.enqueue("sleep", 2.0, f"{number}") for number in range(18)]

    eventually(lambda: all(len(one.children()) == 3 for one in both), 12.0)

    for job in jobs:
        assert job.result(timeout=20) == 2.0
    assert sorted(crew.noted()) == sorted(map(str, range(18)))


@pytest.mark.slow
def test_children_that_idle_go_and_running_jobs_never_do_under_either_supervisor(
    crew: Crew, eventually: Eventually
) -> None:
    both = [crew.start(processes=(1, 3), claim=1, wait_target=0.1) for _ in range(2)]
    short = [crew.enqueue("sleep", 2.0) for _ in range(18)]
    eventually(lambda: all(len(one.children()) == 3 for one in both), 12.0)
    for job in short:
        job.result(timeout=20)
    for name in ("a", "b"):
        crew.enqueue("sleep", 60.0, name)
    eventually(lambda: len(crew.noted()) == 2)

    # Each keeps one at least; both jobs may run under the same one.
    eventually(lambda: sum(len(one.children()) for one in both) <= 3, 38.0)

    assert crew.queue.counts()[JobStatus.STARTED] == 2
    assert sorted(crew.noted()) == ["a", "b"]
