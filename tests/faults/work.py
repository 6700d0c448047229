"""Producers and workers at work."""

from tests.faults.trial import Trial
from tests.patience import wait_until


class Work:
    """Two producers and two workers at work on a trial's Redis, with long jobs under way.

    Args:
        trial: whose they are.
        jobs: how many the producers enqueue.
        long: seconds that the long jobs take.
    """

    def __init__(self, trial: Trial, jobs: int, long: float = 1.0) -> None:
        self._trial = trial
        for _ in range(2):
            trial.start(processes=1)
            trial.produce(jobs // 2, pause=0.01, seconds=0.01)
        wait_until(lambda: len(trial.children()) == 2)
        trial.wait_for_acknowledged(20)
        for number in range(2):
            trial.enqueue("nap", f"long-{number}", long)
        self._children = trial.children()

    def same_workers(self) -> bool:
        """Whether no worker has ended."""
        return self._trial.children() == self._children
