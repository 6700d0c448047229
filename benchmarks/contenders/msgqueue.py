"""msgqueue: as its tutorial says. Variant `three queues`: the jobs go to the middle one."""

import sys
from collections.abc import Sequence

from benchmarks import work
from benchmarks.contenders import plainly
from msgqueue import Job, TaskQueue

KEEPS = "the whole job with its result, under rq's keys"

run = plainly
queues = ("high", "default", "low") if work.VARIANT == "three queues" else ("default",)
queue = TaskQueue(work.URL, queues=queues)
on = queue.task(queue="default")
TASKS = {task.name: task for task in (on(work.noop), on(work.hold), on(work.nap))}


async def connect() -> None:
    """Nothing to open."""


async def enqueue(task: str, index: int, other: int) -> Job[int]:
    return TASKS[task].enqueue(index, other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    spec = TASKS[task].spec
    queue.enqueue_many(spec(index, other) for index in range(first, first + count))


async def result(job: Job[int]) -> object:
    return job.result(timeout=10)


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    quiet = ["env", "MSGQUEUE_LOG_LEVEL=warning"]  # else a line for each job
    command = [*quiet, sys.executable, "-m", "msgqueue.cli", "worker", f"{__name__}:queue"]
    command += ["--processes", str(processes)]
    return [command + (["--concurrency", str(concurrency)] if concurrency else [])]
