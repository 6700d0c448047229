"""SAQ. Its functions are coroutines and take their arguments by name."""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from saq import Job, Queue

from benchmarks import work

KEEPS = "the whole job with its result"

run = asyncio.Runner().run
queue = Queue.from_url(work.URL)


async def noop(_: Any, *, index: int, other: int) -> int:
    return work.noop(index, other)


async def nap(_: Any, *, index: int, other: int) -> int:
    return await work.nap(index, other)


settings = {
    "queue": queue,
    "functions": [noop, nap],
    "concurrency": work.CONCURRENCY,
}
NAMES = {"noop": "noop", "hold": "nap", "nap": "nap"}


async def connect() -> None:
    await queue.connect()


async def enqueue(task: str, index: int, other: int) -> Job | None:
    return await queue.enqueue(NAMES[task], index=index, other=other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    await work.gather(partial(enqueue, task), first, count, other)


async def result(job: Job) -> object:
    await job.refresh(until_complete=10)
    return job.result


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    command = ["env", f"BENCH_CONCURRENCY={concurrency or 10}", sys.executable, "-m", "saq"]
    return [[*command, f"{__name__}.settings", "--quiet", "--workers", str(processes)]]
