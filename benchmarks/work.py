"""What the jobs of every contender do; imported by the workers of all of them."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.stamps import Stamps

URL = os.environ["BENCH_URL"]
VARIANT = os.environ["BENCH_VARIANT"]
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "10"))
"""For systems that have no option for it on their command line."""
SILENT = {"version": 1, "disable_existing_loggers": True}
"""A configuration of logging that shows warnings alone."""

AT_ONCE = 100

_stamps = Stamps(Path(os.environ["BENCH_STAMPS"]))


def noop(index: int, other: int) -> int:
    """Do next to nothing with two small arguments."""
    _stamps.began(index)
    return other


def hold(index: int, milliseconds: int) -> int:
    """Keep the worker busy for so long."""
    _stamps.began(index)
    time.sleep(milliseconds / 1000)
    _stamps.ended(index)
    return milliseconds


async def nap(index: int, milliseconds: int) -> int:
    """Wait for so long, and let others of the same process work meanwhile."""
    _stamps.began(index)
    await asyncio.sleep(milliseconds / 1000)
    _stamps.ended(index)
    return milliseconds


async def gather(
    enqueue: Callable[[int, int], Awaitable[object]], first: int, count: int, other: int
) -> None:
    """Enqueue in bulk where a system of coroutines has no call for it: a hundred at a time."""
    end = first + count
    for start in range(first, end, AT_ONCE):
        rows = range(start, min(start + AT_ONCE, end))
        await asyncio.gather(*(enqueue(index, other) for index in rows))
