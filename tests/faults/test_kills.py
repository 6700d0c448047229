"""Promise 1 and 4: whatever process dies, each job runs, and only what ran then runs twice."""

from collections.abc import Callable

from tests.faults.conftest import Judge
from tests.faults.trial import Trial

#: Seconds: a supervisor pauses up to 5 where children die as they start, and a sweep comes after 8.
BEFORE_A_SWEEP = 7.5


def test_no_job_is_lost_and_only_running_ones_repeat_when_children_are_killed(
    trial: Trial, judge: Judge, whole: bool
) -> None:
    trial.start(processes=2)
    trial.produce(5000 if whole else 1000)

    kills = trial.rage(trial.kill_child)

    verdict = judge("F1 kill -9 of a child", trial, recovered=BEFORE_A_SWEEP)
    assert kills >= 5
    assert len(verdict.duplicated) <= kills * 100


def test_no_job_is_lost_and_none_repeats_when_supervisors_are_killed(
    trial: Trial, judge: Judge, whole: bool
) -> None:
    for _ in range(2):
        trial.start(processes=1)
    trial.produce(5000 if whole else 1000)

    _replace_at_once(trial, trial.kill_supervisor, 10, (0.3, 1.0))

    verdict = judge("F1 kill -9 of a supervisor", trial)
    assert verdict.duplicated == ()


def test_no_job_is_lost_when_whole_machines_are(trial: Trial, judge: Judge, whole: bool) -> None:
    for _ in range(2):
        trial.start(processes=1)
    trial.produce(5000 if whole else 1000)

    _replace_at_once(trial, trial.kill_machine, 8, (0.1, 0.5))

    judge("F1 kill -9 of all at once", trial, within=60)


def test_a_producer_that_is_killed_leaves_its_jobs_whole_or_not_at_all(
    trial: Trial, judge: Judge, whole: bool
) -> None:
    trial.start(processes=2)
    for _ in range(20 if whole else 5):
        producer = trial.produce(1000, seconds=0.001)
        trial.wait_for_acknowledged(trial.choice.randrange(1, 500))
        trial.kill_producer(producer)

    judge("F1 kill -9 of a producer", trial)


def _replace_at_once(
    trial: Trial, kill: Callable[[], object], most: int, pauses: tuple[float, float]
) -> None:
    """Kill, at most so often, and start another one in its place each time."""

    def strike() -> None:
        if len(trial.books.strikes) < most and kill():
            trial.start(processes=1)

    trial.rage(strike, pauses)
