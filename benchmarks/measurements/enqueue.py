"""How fast jobs are enqueued, one at a time and in bulk; nobody runs them meanwhile."""

from benchmarks.measurements import Figure, Measurement
from benchmarks.trial import Trial

ONE_BY_ONE, IN_BULK = 1_000, 5_000
"""Jobs for each second of effort."""
WARM = 50


def _take(trial: Trial) -> dict[str, float]:
    trial.clear()
    trial.enqueue(0, WARM)
    singly, many = (int(rate * trial.effort.seconds) for rate in (ONE_BY_ONE, IN_BULK))
    trial.clear()
    seconds = trial.enqueue(0, singly)
    trial.clear()
    bulk_seconds = trial.fill("noop", many)
    return {"enqueue_single": singly / seconds, "enqueue_bulk": many / bulk_seconds}


ENQUEUE = Measurement(
    "enqueue",
    (
        Figure("enqueue_single", "enqueued/s, one at a time", "most"),
        Figure("enqueue_bulk", "enqueued/s, in bulk", "most"),
    ),
    _take,
)
