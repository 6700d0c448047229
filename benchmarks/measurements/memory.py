"""What a job takes in Redis, while it waits and when it has finished with a small result."""

from benchmarks.measurements import Figure, Measurement
from benchmarks.trial import STALLED_AFTER, Trial

JOBS = 2_000


def _take(trial: Trial) -> dict[str, float]:
    trial.clear()
    trial.fill("noop", JOBS)
    queued = trial.server.memory()
    with trial.workers(2) as fleet:
        trial.wait(lambda: trial.stamps.begun(JOBS), JOBS, STALLED_AFTER, fleet)
    finished = trial.server.memory()  # the workers have reported and gone
    return {"memory_queued": queued / JOBS, "memory_finished": finished / JOBS}


MEMORY = Measurement(
    "memory",
    (
        Figure("memory_queued", "bytes in Redis, a queued job", "least"),
        Figure("memory_finished", "bytes in Redis, a finished job", "least"),
    ),
    _take,
    once=True,
)
