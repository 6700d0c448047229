"""Dramatiq. Variants: `` as it comes, `tuned` prefetches far, `results` keeps results as well."""

import sys
from collections.abc import Sequence

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks import work
from benchmarks.contenders import plainly

KEEPS_RESULTS = "results" in work.VARIANT
KEEPS = "the result" if KEEPS_RESULTS else "nothing"
PREFETCH = "1000"

run = plainly
broker = RedisBroker(url=work.URL)
if KEEPS_RESULTS:
    broker.add_middleware(Results(backend=RedisBackend(url=work.URL), store_results=True))
dramatiq.set_broker(broker)
TASKS = {
    "noop": dramatiq.actor(work.noop),
    "hold": dramatiq.actor(work.hold),
    "nap": dramatiq.actor(work.hold, actor_name="nap"),  # one thread each
}


async def connect() -> None:
    """Nothing to open."""


async def enqueue(task: str, index: int, other: int) -> dramatiq.Message:
    return TASKS[task].send(index, other)


async def enqueue_many(task: str, first: int, count: int, other: int) -> None:
    send = TASKS[task].send
    for index in range(first, first + count):
        send(index, other)


async def result(message: dramatiq.Message) -> object:
    return message.get_result(block=True, timeout=10_000)


def workers(processes: int, concurrency: int | None) -> Sequence[Sequence[str]]:
    command = [sys.executable, "-m", "dramatiq", __name__, "--processes", str(processes)]
    command += ["--threads", str(concurrency)] if concurrency else []
    if work.VARIANT == "":
        return [command]
    return [["env", f"dramatiq_queue_prefetch={PREFETCH}", *command]]
