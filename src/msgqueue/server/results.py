"""Reads what jobs returned, for answers in JSON; nothing is unpickled."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from msgqueue.jobs import JobInfo, StoredResult
from msgqueue.queue import TaskQueue
from msgqueue.store import steps

CHUNK = 200  # results are read in calls that keep Redis from others for a moment only


async def results_of(queue: TaskQueue, infos: Sequence[JobInfo]) -> list[Any]:
    """What each of these jobs returned, in their order; None where it is no longer kept."""
    ids = [info.id for info in infos]
    found: list[Any] = []
    for start in range(0, len(ids), CHUNK):
        part = await queue.async_store.run(steps.results(ids[start : start + CHUNK]))
        found += map(shown, part)
    return found


def shown(stored: StoredResult | None) -> Any:
    """A stored result as JSON carries it, or a line that says why it cannot be shown."""
    if stored is None or stored.kind != "ok" or not stored.value:
        return None
    try:
        return from_json(stored.value)
    except ValueError:
        return f"({len(stored.value):,} bytes that are not JSON; they are not unpickled here)"
