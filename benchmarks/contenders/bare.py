"""No queue at all, but a loop over redis-py: pop a job, run it, push its result.

It promises nothing and loses what it took. It is here as the floor: what the round trips alone
cost from Python.
"""

import json
import sys
from collections.abc import Sequence

import redis

from benchmarks import work
from benchmarks.contenders import plainly

KEEPS = "the result, until it is read"
JOBS = "jobs"

run = plainly
client = redis.Redis.from_url(work.URL, socket_timeout=None)
TASKS = {"noop": work.noop, "hold": work.hold}


async def connect() -> None:
    """Nothing to open."""


async def enqueue(task: str, index: int, other: int) -> str:
    client.rpush(JOBS, json.dumps([task, index, other]))
    return f"result:{index}"


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    rows = range(first, first + count)
    client.rpush(JOBS, *(json.dumps([task, index, other]) for index in rows))


async def result(key: str) -> object:
    found = client.blpop([key], timeout=10)
    if found is None:
        raise TimeoutError("no result within 10 s")
    return json.loads(found[1])


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    del concurrency  # one job at a time
    return [[sys.executable, "-m", __spec__.name]] * processes


def main() -> None:
    while True:
        _, text = client.blpop([JOBS])
        task, index, other = json.loads(text)
        client.rpush(f"result:{index}", TASKS[task](index, other))


if __name__ == "__main__":
    main()
