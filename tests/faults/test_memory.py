"""Promise 4 where the kernel kills a process because memory is short."""

import re

import pytest
from tests.faults import app
from tests.faults.cgroups import out_of_memory_beyond
from tests.faults.conftest import Judge
from tests.faults.trial import Trial

from msgqueue import JobFailed

WHY = re.compile(
    r"WorkerDied: the process was killed by SIGKILL, most likely by the kernel for want of memory;"
    r" peak memory \d+ MiB while it ran this job, \d+\.\d s after it began"
)


def test_promise_4_a_job_that_the_kernel_kills_for_its_memory_fails_alone_and_says_so(
    trial: Trial, judge: Judge
) -> None:
    supervisor = trial.start(processes=1)
    trial.enqueue("work", "before")
    with trial.speaking():
        app.queue.job("before").result(timeout=20)
    (child,) = supervisor.children()

    with out_of_memory_beyond(60, child):
        trial.enqueue("hog", "greedy", 200, expected=False, max_deliveries=1)
        for number in range(50):
            trial.enqueue("work", f"job-{number}")
        judge("F5 killed by the kernel for its memory", trial)

    assert child not in supervisor.children()
    assert len(trial.read_runs("greedy")) == 1
    with trial.speaking(), pytest.raises(JobFailed) as failed:
        app.queue.job("greedy").result(timeout=1)
    assert WHY.search(str(failed.value.traceback))
