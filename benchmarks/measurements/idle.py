"""What workers cost that have nothing to do."""

import time

from benchmarks.measurements import Figure, Measurement
from benchmarks.trial import Trial

SETTLE = 1.0
"""Seconds after the job that showed the workers to be ready; what it leaves to do is done then."""
FURTHER = 2
MEGABYTE = 1e6


def _take(trial: Trial) -> dict[str, float]:
    trial.clear()
    with trial.idle_workers(1) as fleet:
        time.sleep(SETTLE)
        cpu, before, began = fleet.cpu(), trial.server.traffic(), time.monotonic()
        time.sleep(trial.effort.idle)
        seconds = time.monotonic() - began
        traffic = trial.server.traffic()
        cpu, one = fleet.cpu() - cpu, fleet.memory()
    trial.clear()
    with trial.idle_workers(1 + FURTHER) as fleet:
        time.sleep(SETTLE)
        more = fleet.memory()
    return {
        "idle_memory": one / MEGABYTE,
        "idle_further": (more - one) / FURTHER / MEGABYTE,
        "idle_cpu": 100 * cpu / seconds,
        "idle_reads": (traffic.reads - before.reads - 1) / seconds,  # one look was ours
        "idle_commands": (traffic.commands - before.commands - 1) / seconds,
    }


IDLE = Measurement(
    "idle",
    (
        Figure("idle_memory", "MB (PSS), one idle worker process", "least"),
        Figure("idle_further", "MB (PSS), each further one", "least"),
        Figure("idle_cpu", "CPU %, one idle worker process", "least", 1),
        Figure("idle_reads", "round trips/s, one idle worker process", "least", 1),
        Figure("idle_commands", "the same, with the commands in scripts", "least", 1),
    ),
    _take,
    once=True,
    slow=True,
)
