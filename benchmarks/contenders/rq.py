"""rq. Variants: `worker` forks for each job, `simple` does not, `pool` starts such workers."""

import sys
from collections.abc import Sequence

import redis
from rq import Queue
from rq.job import Job

from benchmarks import work
from benchmarks.contenders import plainly

KEEPS = "the whole job with its result"

run = plainly
queue = Queue(connection=redis.Redis.from_url(work.URL))
noop, hold = work.noop, work.hold


async def connect() -> None:
    """Nothing to open."""


async def enqueue(task: str, index: int, other: int) -> Job:
    return queue.enqueue(f"benchmarks.work.{task}", index, other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    path = f"benchmarks.work.{task}"
    rows = range(first, first + count)
    queue.enqueue_many([Queue.prepare_data(path, (index, other)) for index in rows])


async def result(job: Job) -> object:
    found = job.latest_result(timeout=10)
    if found is None:
        raise TimeoutError("no result within 10 s")
    return found.return_value


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    del concurrency  # one job at a time
    common = ["default", "--url", work.URL, "--quiet"]
    rq = [sys.executable, "-m", "rq.cli"]
    if work.VARIANT == "pool":
        simple = ["--num-workers", str(processes), "--worker-class", "rq.worker.SimpleWorker"]
        return [[*rq, "worker-pool", *common, *simple]]
    simple = ["--worker-class", "rq.worker.SimpleWorker"] if work.VARIANT == "simple" else []
    return [[*rq, "worker", *common, *simple]] * processes
