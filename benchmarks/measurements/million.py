"""Whether a long queue is slower than a short one: the first jobs of both are timed."""

from benchmarks.measurements import Figure, Measurement
from benchmarks.measurements.drain import rate_of
from benchmarks.trial import STALLED_AFTER, Trial

SHORT = 10_000


def _take(trial: Trial) -> dict[str, float]:
    short = _first_of(trial, SHORT)
    long = _first_of(trial, trial.effort.million)
    trial.clear()
    return {
        "short_rate": short[0],
        "long_rate": long[0],
        "short_script": short[1],
        "long_script": long[1],
    }


def _first_of(trial: Trial, jobs: int) -> tuple[float, float]:
    """Jobs a second, and microseconds of a script call, over the first 10,000 jobs of so many."""
    trial.clear()
    trial.fill("noop", jobs)
    before = trial.server.scripts()
    with trial.workers(2) as fleet:
        trial.wait(lambda: trial.stamps.begun(SHORT), SHORT, STALLED_AFTER, fleet)
        calls, microseconds = (
            now - then for now, then in zip(trial.server.scripts(), before, strict=True)
        )
    return rate_of(trial, SHORT), microseconds / calls


MILLION = Measurement(
    "million",
    (
        Figure("short_rate", "the first 10,000 no-op jobs/s, short queue", "most"),
        Figure("long_rate", "the first 10,000 no-op jobs/s, long queue", "most"),
        Figure("short_script", "script, us a call, short queue", "least"),
        Figure("long_script", "script, us a call, long queue", "least"),
    ),
    _take,
    once=True,
    slow=True,
)
