"""Tasks to try msgqueue with; `msgqueue-serve` without an argument serves them.

Watch one: enqueue it, then look at its log lines, and at its `meta` in the API or the dashboard.
"""

import asyncio
import logging
import time
from typing import Any

from msgqueue.job import current_job
from msgqueue.observe.logs import event
from msgqueue.queue import TaskQueue

STEPS = ("reading", "checking", "working", "writing")
SECONDS_A_STEP = 0.75

logger = logging.getLogger(__name__)

queue = TaskQueue()


@queue.task
def process(received: dict[str, Any]) -> dict[str, Any]:
    """Take any JSON object, work on it for three seconds in four steps, and sum it up."""
    started = time.monotonic()
    for number, doing in enumerate(STEPS, start=1):
        _tell(number, doing)
        time.sleep(SECONDS_A_STEP)
    return {
        "title": received.get("title"),
        "keys": sorted(received),
        "steps": len(STEPS),
        "seconds": round(time.monotonic() - started, 1),
    }


@queue.task
def add(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


@queue.task
def fail(message: str = "this task always fails") -> None:
    """Raise an error, to see how a failed job looks."""
    raise ValueError(message)


@queue.task
async def pause(seconds: float = 1.0) -> float:
    """Wait without holding a process: a hundred of these run in one at once."""
    await asyncio.sleep(seconds)
    return seconds


def _tell(number: int, doing: str) -> None:
    job = current_job()
    if job is None:  # called as a plain function
        return
    event(logger, f"step {number} of {len(STEPS)}", job=job.id, task="process", doing=doing)
    job.update_meta({"step": number, "of": len(STEPS), "doing": doing})
