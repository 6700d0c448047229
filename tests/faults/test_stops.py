"""Promise 10: SIGTERM drains; what does not end in time goes back and loses no attempt."""

import signal
import time
from pathlib import Path

import pytest
from tests.conftest import Eventually
from tests.faults.conftest import Judge
from tests.faults.trial import Started, Trial
from tests.patience import wait_until

from msgqueue import JobStatus


def group_of(supervisor: Started) -> list[int]:
    """A supervisor and its children."""
    return [supervisor.pid, *supervisor.children()]


def gone(pids: list[int]) -> bool:
    """Whether all of these have ended, and none is left as a zombie."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_promise_10_a_rolling_restart_loses_and_repeats_nothing(
    trial: Trial, judge: Judge, whole: bool
) -> None:
    for _ in range(2):
        trial.start(processes=2)
    trial.produce(2000 if whole else 600, seconds=0.05 if whole else 0.02, pause=0.01)
    for number in range(6 if whole else 2):
        trial.wait_for_acknowledged(100)
        leaving = trial.supervisors[number]
        pids = group_of(leaving)
        trial.start(processes=2)
        leaving.signal(signal.SIGTERM)
        assert leaving.wait(15) == 0
        assert gone(pids[1:])

    assert judge("F20 rolling restart", trial, within=60).duplicated == ()


@pytest.mark.faults
def test_promise_10_at_the_end_of_the_grace_time_jobs_go_back_and_lose_no_attempt(
    trial: Trial, judge: Judge, eventually: Eventually
) -> None:
    """Four times as often as a job may be delivered to processes that die."""
    trial.enqueue("work", "long", 4.0, max_deliveries=1)
    trial.enqueue("nap", "nap", 4.0, max_deliveries=1)
    for number in range(4):
        leaving = trial.start(processes=2, grace=0.5)
        for key in ("long", "nap"):
            eventually(lambda key=key, number=number: len(trial.read_runs(key)) == number + 1)
        pids = group_of(leaving)
        trial.books.strike("machine", pids)
        leaving.signal(signal.SIGTERM)
        assert leaving.wait(8) == 0
        assert gone(pids[1:])
    trial.start(processes=2)

    verdict = judge("F20 grace time over", trial, strict=False)

    assert verdict.duplicated == ("long", "nap")
    assert [len(trial.read_runs(key)) for key in ("long", "nap")] == [5, 5]
    assert trial.status("long") is trial.status("nap") is JobStatus.FINISHED


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_promise_10_a_second_signal_ends_at_once_and_loses_nothing(
    trial: Trial, judge: Judge, eventually: Eventually, number: signal.Signals
) -> None:
    leaving = trial.start(processes=2, claim=8)
    trial.enqueue("work", "long", 5.0)
    trial.produce(300, seconds=0.05)
    eventually(lambda: trial.began("long"))
    pids = group_of(leaving)
    leaving.signal(signal.SIGTERM)
    time.sleep(0.2)  # it drains by then
    trial.strike("machine", pids, signal.SIGSTOP)  # that no end is unreported at the signal
    for pid in pids:
        trial.signal(pid, signal.SIGCONT)
    began = time.monotonic()

    leaving.signal(number)

    leaving.wait(10)
    assert number is signal.SIGKILL or time.monotonic() - began < 5
    trial.start(processes=2)
    judge("F20 second signal", trial, within=60, strict=False)
    wait_until(lambda: gone(pids[1:]), 20, "no process is left")
