"""How fast waiting no-op jobs are run, and what a job costs the workers and Redis."""

import time
from bisect import bisect
from dataclasses import dataclass

from benchmarks.fleet import Fleet
from benchmarks.measurements import Figure, Measurement
from benchmarks.trial import READY_WITHIN, STALLED_AFTER, Trial

LEAST = 200
"""Jobs that a drain has at least."""
WARM = 1.0
"""Seconds after the first start that do not count: all processes have joined in by then. At most
half of the jobs."""
END = 0.95
"""The last jobs do not count either: one process may have run out of them."""


@dataclass(frozen=True)
class Sample:
    """What was used up so far."""

    jobs: int
    workers: float
    server: float
    reads: int

    @classmethod
    def take(cls, trial: Trial, fleet: Fleet, jobs: int) -> "Sample":
        """Look at everything at once."""
        server, reads = trial.server.cpu(), trial.server.traffic().reads
        return cls(trial.stamps.begun(jobs), fleet.cpu(), server, reads)


def drain(trial: Trial, processes: int) -> dict[str, float]:
    """Enqueue the jobs, start the workers, and look at the middle of the run."""
    rate = trial.contender.rate * processes / 2
    jobs = max(int(rate * (WARM + trial.effort.seconds)), LEAST)
    trial.clear()
    trial.fill("noop", jobs)
    with trial.workers(processes) as fleet:
        first, last = _middle(trial, fleet, jobs)
        trial.wait(lambda: trial.stamps.begun(jobs), jobs, STALLED_AFTER, fleet)
    done = last.jobs - first.jobs
    return {
        "rate": rate_of(trial, jobs),
        "workers": 1e6 * (last.workers - first.workers) / done,
        "server": 1e6 * (last.server - first.server) / done,
        "reads": (last.reads - first.reads) / done,
    }


def rate_of(trial: Trial, jobs: int) -> float:
    """Jobs a second in the middle of the run, by the moments at which they began."""
    starts = sorted(trial.stamps.starts[:jobs])
    low = min(bisect(starts, starts[0] + WARM), jobs // 2)
    high = int(END * jobs)
    return (high - low) / (starts[high] - starts[low])


def _middle(trial: Trial, fleet: Fleet, jobs: int) -> tuple[Sample, Sample]:
    def begun() -> int:
        return trial.stamps.begun(jobs)

    trial.wait(begun, 1, READY_WITHIN, fleet)
    warm = time.monotonic() + WARM
    trial.wait(lambda: begun() if time.monotonic() < warm else jobs, jobs // 2, WARM * 2, fleet)
    first = Sample.take(trial, fleet, jobs)
    trial.wait(begun, int(END * jobs), STALLED_AFTER, fleet)
    return first, Sample.take(trial, fleet, jobs)


def _with_two(trial: Trial) -> dict[str, float]:
    return {f"drain_{name}": value for name, value in drain(trial, 2).items()}


def _with_one(trial: Trial) -> dict[str, float]:
    return {"single_rate": drain(trial, 1)["rate"]}


RATE = Figure("drain_rate", "no-op jobs/s, 2 processes", "most")
TWO = Measurement(
    "drain",
    (
        RATE,
        Figure("drain_workers", "worker CPU, us a job", "least"),
        Figure("drain_server", "Redis CPU, us a job", "least"),
        Figure("drain_reads", "round trips a job", "least", 2),
    ),
    _with_two,
)
ONE = Measurement("single", (Figure("single_rate", "no-op jobs/s, 1 process", "most"),), _with_one)
