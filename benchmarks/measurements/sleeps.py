"""Jobs that wait for 50 ms, many at once in one process."""

from benchmarks.measurements import Figure, Measurement
from benchmarks.measurements.drain import rate_of
from benchmarks.trial import OTHER, STALLED_AFTER, Trial


def _take(trial: Trial, concurrency: int) -> float:
    possible = concurrency / (OTHER / 1000)
    jobs = int(possible * trial.effort.seconds)
    trial.clear()
    trial.fill("nap", jobs)
    with trial.workers(1, concurrency) as fleet:
        trial.wait(lambda: trial.stamps.done(jobs), jobs, STALLED_AFTER, fleet)
    return rate_of(trial, jobs)


HUNDRED = Measurement(
    "sleeps",
    (Figure("sleeps", "sleeps of 50 ms/s, 100 at once, of 2,000", "most"),),
    lambda trial: {"sleeps": _take(trial, 100)},
)
TWO_HUNDRED = Measurement(
    "sleeps200",
    (Figure("sleeps200", "sleeps of 50 ms/s, 200 at once, of 4,000", "most"),),
    lambda trial: {"sleeps200": _take(trial, 200)},
)
