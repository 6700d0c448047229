"""Promises 4 and 7: a job that kills its process is started so often, and no more."""

import pytest
from tests.faults import app
from tests.faults.conftest import Judge
from tests.faults.trial import Trial
from tests.patience import wait_until

from msgqueue import JobStatus

BACK_OFF = 9.0  # seconds at least from a second death to the next start


@pytest.mark.faults
@pytest.mark.parametrize("deliveries", [1, 2, 3])
@pytest.mark.parametrize("how", ["kill", "segfault", "exit", "parent"])
@pytest.mark.parametrize("task", ["poison", "nap_poison"])
def test_promise_4_a_poison_job_is_started_so_often_and_others_go_on(
    trial: Trial, judge: Judge, task: str, how: str, deliveries: int
) -> None:
    trial.start(processes=2)
    trial.enqueue(task, "poison", how, expected=False, max_deliveries=deliveries)
    trial.produce(200, seconds=0.02, pause=0.02)

    def failed() -> bool:
        if not trial.supervisors[-1].alive:
            trial.start(processes=2)
        return trial.status("poison") is JobStatus.FAILED

    wait_until(failed, 40 * deliveries, "it fails")

    judge(
        f"F4 poison, {'coroutine' if app.queue.tasks[task].is_async else 'function'}",
        trial,
        within=60,
    )
    runs = trial.read_runs("poison")
    assert len(runs) == deliveries
    if deliveries == 3:
        assert runs[2].began - runs[1].began > BACK_OFF
