"""taskiq. Variants: `list` and `stream`, its brokers, and `stream results`, which keeps results."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from taskiq import AsyncBroker
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from benchmarks import work

KEEPS_RESULTS = "results" in work.VARIANT

run = asyncio.Runner().run
FROM_THE_START = "0"
"""Where a new group of consumers begins; the default is behind the jobs that wait already."""

broker: AsyncBroker = (
    ListQueueBroker(work.URL, socket_timeout=None)
    if work.VARIANT == "list"
    else RedisStreamBroker(work.URL, consumer_id=FROM_THE_START, socket_timeout=None)
)
if KEEPS_RESULTS:
    broker = broker.with_result_backend(RedisAsyncResultBackend(work.URL))
KEEPS = ("the result" if KEEPS_RESULTS else "nothing") + (
    "" if work.VARIANT == "list" else "; the stream keeps every message"
)


@broker.task(task_name="noop")
async def noop(index: int, other: int) -> int:
    return work.noop(index, other)


nap = broker.task(task_name="nap")(work.nap)
TASKS = {"noop": noop, "hold": nap, "nap": nap}


async def connect() -> None:
    await broker.startup()


async def enqueue(task: str, index: int, other: int) -> Any:
    return await TASKS[task].kiq(index, other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    await work.gather(TASKS[task].kiq, first, count, other)


async def result(handle: Any) -> object:
    return (await handle.wait_result(check_interval=0.001, timeout=10)).return_value


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    command = [sys.executable, "-m", "taskiq", "worker", f"{__name__}:broker"]
    command += ["--workers", str(processes), "--log-level", "WARNING"]
    return [command + (["--max-async-tasks", str(concurrency)] if concurrency else [])]
