"""Huey. Variants: `process` and `thread`, its kinds of workers; `notify` wakes who waits."""

import sys
from collections.abc import Sequence

from huey import RedisHuey
from huey.api import Result

from benchmarks import work
from benchmarks.contenders import plainly

KEEPS = "the result, until it is read"

run = plainly
huey = RedisHuey("bench", url=work.URL, notify_result=work.VARIANT == "notify")
TASKS = {
    "noop": huey.task()(work.noop),
    "hold": huey.task()(work.hold),
    "nap": huey.task(name="nap")(work.hold),  # one thread each
}


async def connect() -> None:
    """Nothing to open."""


async def enqueue(task: str, index: int, other: int) -> Result:
    return TASKS[task](index, other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    call = TASKS[task]
    for index in range(first, first + count):
        call(index, other)


async def result(handle: Result) -> object:
    return handle.get(blocking=True, timeout=10)


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    command = [sys.executable, "-m", "huey.bin.huey_consumer", f"{__name__}.huey", "--quiet"]
    if work.VARIANT == "process":
        return [[*command, "--worker-type", "process", "--workers", str(processes)]]
    threads = ["--worker-type", "thread", "--workers", str(concurrency or 1)]
    return [[*command, *threads]] * processes
