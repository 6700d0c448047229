"""Promises 3, 4 and 7: processes that stand still and come back, alone or with their supervisor."""

import signal
import time

import pytest
from tests.conftest import Eventually
from tests.faults import app
from tests.faults.conftest import Judge
from tests.faults.test_points import CHILD
from tests.faults.trial import Trial
from tests.patience import wait_until

from msgqueue import JobStatus

OLD = 8.0  # seconds after which what nobody refreshes is taken over
RETURNS = ("all at once", "child first", "supervisor first")


def results(trial: Trial, key: str) -> int:
    """How many results a job has."""
    with trial.speaking():
        return int(app.queue.source.client().xlen(f"rq:results:{key}"))


@pytest.mark.faults
@pytest.mark.parametrize("task", ["work", "nap"])
@pytest.mark.parametrize("returns", RETURNS)
def test_promise_3_a_zombie_worker_is_refused_however_it_returns(
    trial: Trial, judge: Judge, eventually: Eventually, returns: str, task: str
) -> None:
    first = trial.start(processes=1)
    trial.enqueue(task, "frozen", 1.0)
    eventually(lambda: trial.began("frozen"))
    supervisor, [child] = first.pid, first.children()
    trial.strike("frozen", [supervisor, child], signal.SIGSTOP)
    trial.start(processes=1)
    for number in range(20):
        trial.enqueue(task, f"beside-{number}")
    eventually(trial.done)

    for pid in [supervisor, child] if returns == "supervisor first" else [child, supervisor]:
        trial.signal(pid, signal.SIGCONT)
        if returns != "all at once":
            time.sleep(1.0)  # the other one still stands
    trial.enqueue(task, "afterwards")

    verdict = judge("F3 zombie worker", trial)
    assert verdict.duplicated == ("frozen",)
    assert results(trial, "frozen") == 1
    assert trial.status("frozen") is JobStatus.FINISHED
    assert first.alive


@pytest.mark.faults
def test_promise_3_under_a_supervisor_that_stands_still_its_child_repeats_nothing_short(
    trial: Trial, judge: Judge
) -> None:
    """Each claim of the child is a lease of its own."""
    first = trial.start(processes=1)
    trial.produce(1500, seconds=0.02, pause=0.02, delayed=0.0)
    trial.wait_for_acknowledged(50)
    trial.strike("frozen", [first.pid], signal.SIGSTOP)

    wait_until(lambda: time.monotonic() > trial.books.strikes[0].at + OLD + 4, 20, "old")
    trial.signal(first.pid, signal.SIGCONT)

    assert judge("F3 supervisor stands still", trial, within=60).duplicated == ()
    assert first.alive


@pytest.mark.faults
def test_promise_3_what_outlasts_its_supervisors_lease_runs_again_and_has_one_result(
    trial: Trial, judge: Judge, eventually: Eventually
) -> None:
    first = trial.start(processes=1, claim=1)
    trial.enqueue("work", "long", 12.0)
    eventually(lambda: trial.began("long"))
    child = first.children()
    trial.books.strike("frozen", [first.pid, *child])
    trial.signal(first.pid, signal.SIGSTOP)
    trial.start(processes=1)
    eventually(lambda: len(trial.read_runs("long")) == 2, OLD + 5)

    trial.signal(first.pid, signal.SIGCONT)  # its next beat is told that the run was lost

    wait_until(lambda: first.children() != child, 5.0, "the first run is ended")
    assert judge("F3 supervisor stands still", trial, within=40).duplicated == ("long",)
    assert len(trial.read_runs("long")) == 2
    assert results(trial, "long") == 1


@pytest.mark.faults
def test_promise_10_a_supervisor_told_to_end_while_it_stands_still_drains_when_it_returns(
    trial: Trial, judge: Judge, eventually: Eventually
) -> None:
    first = trial.start(processes=2)
    trial.produce(300, pause=0.02)
    trial.wait_for_acknowledged(60)
    trial.strike("frozen", [first.pid], signal.SIGSTOP)
    trial.signal(first.pid, signal.SIGTERM)
    trial.start(processes=1)
    wait_until(lambda: time.monotonic() > trial.books.strikes[0].at + OLD + 2, 20, "old")

    trial.signal(first.pid, signal.SIGCONT)

    assert first.wait(20) == 0
    assert judge("F3 supervisor told to end", trial, within=40).duplicated == ()


@pytest.mark.faults
@pytest.mark.parametrize("point", CHILD)
def test_promise_2_a_child_that_stands_still_at_a_point_and_returns_repeats_nothing(
    trial: Trial, judge: Judge, eventually: Eventually, point: str
) -> None:
    """Its supervisor keeps what it holds; what it has not begun, another child runs."""
    for number in range(60):
        trial.enqueue("nap" if number % 3 == 0 else "work", f"job-{number}", 0.002)
    at = trial.books.folder / "stopped"
    supervisor = trial.start({"FAULTS": f"{point}:stop:{at}:3"}, processes=2, claim=8)
    eventually(at.exists)
    zombie = int(at.read_text().split()[2])
    assert zombie in supervisor.children()
    trial.enqueue("work", "meanwhile")
    trial.wait_for_begin("meanwhile", 5.0)
    time.sleep(1.0)  # more of the others' beats and claims

    trial.signal(zombie, signal.SIGCONT)

    verdict = judge("F3 child stands still at a point", trial, within=20)
    assert verdict.duplicated == ()
    assert supervisor.alive


@pytest.mark.faults
def test_promise_7_a_time_limit_ends_a_child_that_stands_still(
    trial: Trial, judge: Judge, eventually: Eventually
) -> None:
    supervisor = trial.start(processes=1)
    trial.enqueue("work", "limited", 0.5, timeout=1, expected=False)
    eventually(lambda: trial.began("limited"))
    [zombie] = supervisor.children()

    trial.strike("frozen", [zombie], signal.SIGSTOP)

    wait_until(lambda: trial.status("limited") is JobStatus.FAILED, 5.0, "it fails")
    trial.enqueue("work", "next")
    judge("F3 time limit of a child that stands still", trial)
    assert zombie not in supervisor.children()
