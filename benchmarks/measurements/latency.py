"""How long a single job takes on an idle queue: until it starts, and until its result is there."""

from collections.abc import Callable
from statistics import quantiles

from benchmarks.measurements import Figure, Measurement
from benchmarks.trial import OTHER, STALLED_AFTER, Trial

PAUSE = 0.02
"""Seconds between two jobs."""
PROCESSES = 2
CHILDREN = 16


def _starts(prefix: str, processes: int) -> Callable[[Trial], dict[str, float]]:
    def take(trial: Trial) -> dict[str, float]:
        trial.clear()
        jobs = trial.effort.jobs
        with trial.idle_workers(processes) as fleet:
            called = trial.ask("paced", count=jobs, other=OTHER, pause=PAUSE)
            trial.wait(lambda: trial.stamps.begun(jobs), jobs, STALLED_AFTER, fleet)
        return _percentiles(prefix, [trial.stamps.starts[i] - at for i, at in enumerate(called)])

    return take


def _results(trial: Trial) -> dict[str, float]:
    trial.clear()
    with trial.idle_workers(PROCESSES):
        return _percentiles("result", trial.ask("results", count=trial.effort.jobs, other=OTHER))


def _percentiles(prefix: str, seconds: list[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100)
    return {f"{prefix}_p50": 1000 * cuts[49], f"{prefix}_p99": 1000 * cuts[98]}


def _figures(prefix: str, title: str) -> tuple[Figure, Figure]:
    return (
        Figure(f"{prefix}_p50", f"{title}, ms, p50", "least", 2),
        Figure(f"{prefix}_p99", f"{title}, ms, p99", "least", 2),
    )


START = Measurement("start", _figures("start", "enqueue to start"), _starts("start", PROCESSES))
THREE_QUEUES = Measurement(
    "start3", _figures("start3", "the same, three queues"), _starts("start3", PROCESSES)
)
MANY_CHILDREN = Measurement(
    "start16", _figures("start16", f"the same, {CHILDREN} children"), _starts("start16", CHILDREN)
)
RESULT = Measurement("result", _figures("result", "enqueue to result"), _results)
