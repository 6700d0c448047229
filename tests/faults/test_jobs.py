"""Promises 1, 3 and 4: frozen workers, jobs that kill their process, thousands due at once."""

import signal

import pytest
from tests.conftest import Eventually
from tests.faults import app
from tests.faults.conftest import Judge
from tests.faults.trial import Trial

from msgqueue import JobStatus


def test_a_worker_that_was_frozen_past_its_lease_is_refused(
    trial: Trial, judge: Judge, eventually: Eventually
) -> None:
    first = trial.start(processes=1)
    trial.enqueue("work", "frozen", 1.0)
    eventually(lambda: trial.began("frozen"))
    pids = [first.pid, *first.children()]
    trial.strike("frozen", pids, signal.SIGSTOP)
    trial.start(processes=1)
    eventually(trial.done)

    for pid in pids:
        trial.signal(pid, signal.SIGCONT)
    first.signal(signal.SIGTERM)  # it ends the run late, or is told before that it lost it

    assert first.wait(15) == 0
    verdict = judge("F3 frozen past the lease", trial)
    assert verdict.duplicated == ("frozen",)
    with trial.speaking():
        assert app.queue.source.client().xlen("rq:results:frozen") == 1


@pytest.mark.parametrize("how", ["kill", "segfault", "exit"])
def test_a_job_that_kills_its_process_fails_and_others_go_on(
    trial: Trial, judge: Judge, how: str
) -> None:
    trial.start(processes=1)
    trial.enqueue("poison", "poison", how, expected=False, max_deliveries=2)
    for number in range(100):
        trial.enqueue("work", f"job-{number}")

    judge("F4 a job that kills its process", trial)

    assert trial.status("poison") is JobStatus.FAILED
    assert len(trial.read_runs("poison")) == 2


def test_thousands_due_at_once_run_once_each(trial: Trial, judge: Judge, whole: bool) -> None:
    for _ in range(2):
        trial.start(processes=1)
    trial.produce(5000 if whole else 2000, delayed=1.0, seconds=0.0)

    verdict = judge("F16 due at once", trial, within=60)

    assert verdict.duplicated == ()
