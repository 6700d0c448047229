"""kill -9 of every worker process in the middle of 200 jobs of 50 ms; started again at once."""

import time

from benchmarks.measurements import Figure, Measurement
from benchmarks.trial import LOOK, STALLED_AFTER, Trial

JOBS = 200
PROCESSES = 2


def _take(trial: Trial) -> dict[str, float]:
    trial.clear()
    trial.fill("hold", JOBS)
    with trial.workers(PROCESSES) as fleet:
        trial.wait(lambda: trial.stamps.done(JOBS), JOBS // 2, STALLED_AFTER, fleet)
        fleet.kill()
    killed = time.monotonic()
    with trial.workers(PROCESSES):
        while trial.stamps.done(JOBS) < JOBS:
            if time.monotonic() - killed > trial.effort.patience:
                break
            time.sleep(LOOK)
    lost = JOBS - trial.stamps.done(JOBS)
    found: dict[str, float] = {"kill_lost": lost, "kill_twice": trial.stamps.twice(JOBS)}
    if not lost:
        found["kill_seconds"] = max(trial.stamps.ends[:JOBS]) - killed
    return found


KILL = Measurement(
    "kill",
    (
        Figure("kill_lost", "kill -9: of 200 jobs not finished in time", "least"),
        Figure("kill_twice", "kill -9: ran twice", "least"),
        Figure("kill_seconds", "kill -9: seconds until all had finished", "least", 1),
    ),
    _take,
    once=True,
    slow=True,
)
