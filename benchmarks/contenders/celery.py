"""Celery. Variants: `prefork` and `threads`, its pools; no gossip, mingling or heartbeats."""

import sys
from collections.abc import Sequence

from celery import Celery, group
from celery.result import AsyncResult

from benchmarks import work
from benchmarks.contenders import plainly

KEEPS = "the result"
THREADS = 10
"""Of each process, if no number is asked for."""

run = plainly
app = Celery("bench", broker=work.URL, backend=work.URL)
app.conf.worker_prefetch_multiplier = 64
TASKS = {
    "noop": app.task(work.noop, name="noop"),
    "hold": app.task(work.hold, name="hold"),
    "nap": app.task(work.hold, name="nap"),  # one thread each
}


async def connect() -> None:
    """Nothing to open."""


async def enqueue(task: str, index: int, other: int) -> AsyncResult:
    return TASKS[task].delay(index, other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    signature = TASKS[task].s
    group(signature(index, other) for index in range(first, first + count)).apply_async()


async def result(handle: AsyncResult) -> object:
    return handle.get(timeout=10)


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    command = [sys.executable, "-m", "celery", "--app", f"{__name__}:app", "--quiet", "worker"]
    command += ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    command += ["--without-heartbeat", "--pool", work.VARIANT]
    if work.VARIANT == "prefork":
        return [[*command, "--concurrency", str(processes)]]
    command += ["--concurrency", str(concurrency or THREADS)]
    return [[*command, "--hostname", f"bench{number}@%h"] for number in range(processes)]
