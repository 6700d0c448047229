"""arq. Variants: `` as it comes, `tuned` polls every 10 ms and runs many jobs at once."""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.jobs import Job

from benchmarks import work

KEEPS = "the result, for an hour"

run = asyncio.Runner().run
pool: list[ArqRedis] = []


async def noop(_: Any, index: int, other: int) -> int:
    return work.noop(index, other)


async def nap(_: Any, index: int, other: int) -> int:
    return await work.nap(index, other)


class WorkerSettings:
    """What `arq` reads."""

    functions = (noop, nap)
    redis_settings = RedisSettings.from_dsn(work.URL)
    max_jobs = work.CONCURRENCY
    log_results = False
    poll_delay = 0.01 if work.VARIANT == "tuned" else 0.5


NAMES = {"noop": "noop", "hold": "nap", "nap": "nap"}


async def connect() -> None:
    pool.append(await create_pool(WorkerSettings.redis_settings))


async def enqueue(task: str, index: int, other: int) -> Job | None:
    return await pool[0].enqueue_job(NAMES[task], index, other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    await work.gather(partial(enqueue, task), first, count, other)


async def result(job: Job) -> object:
    return await job.result(timeout=10, poll_delay=0.001)


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    at_once = concurrency or (100 if work.VARIANT == "tuned" else 10)
    command = ["env", f"BENCH_CONCURRENCY={at_once}", sys.executable, "-m", "arq"]
    return [
        [*command, f"{__name__}.WorkerSettings", "--custom-log-dict", "benchmarks.work.SILENT"]
    ] * processes
