"""Uses one contender inside its own environment: takes orders from the runner, a line of JSON each.

Started as `python -m benchmarks.agent MODULE`; `node/agent.js` and `ruby/agent.rb` take the same
orders. Everything that is timed on the enqueuing side is timed here, in the process that enqueues.
"""

import asyncio
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Coroutine
from typing import Any


class Agent:
    """What the runner may order; each method answers something that JSON can carry."""

    def __init__(self, contender: Any) -> None:
        self._contender = contender

    async def keeps(self) -> str:
        """What is kept of a finished job."""
        return str(self._contender.KEEPS)

    async def workers(self, processes: int, concurrency: int | None) -> list[list[str]]:
        """The commands that start its workers."""
        return [list(command) for command in self._contender.workers(processes, concurrency)]

    async def one_by_one(self, first: int, count: int, other: int) -> float:
        """Enqueue so many jobs one at a time; the seconds that it took."""
        enqueue = self._contender.enqueue
        began = time.perf_counter()
        for index in range(first, first + count):
            await enqueue("noop", index, other)
        return time.perf_counter() - began

    async def in_bulk(self, task: str, count: int, other: int, chunk: int) -> float:
        """Enqueue so many jobs in bulk, `chunk` a call; the seconds that it took."""
        began = time.perf_counter()
        for first in range(0, count, chunk):
            await self._contender.enqueue_many(task, first, min(chunk, count - first), other)
        return time.perf_counter() - began

    async def paced(self, count: int, other: int, pause: float) -> list[float]:
        """Enqueue one job each `pause` seconds; the monotonic moment before each call."""
        called = []
        due = time.monotonic()
        for index in range(count):
            called.append(time.monotonic())
            await self._contender.enqueue("noop", index, other)
            due += pause
            await _sleep(due - time.monotonic())
        return called

    async def results(self, count: int, other: int) -> list[float]:
        """Enqueue a job when the result of the last one is there; the seconds of each."""
        took = []
        for index in range(count):
            began = time.perf_counter()
            handle = await self._contender.enqueue("noop", index, other)
            found = await self._contender.result(handle)
            took.append(time.perf_counter() - began)
            if found != other:
                raise ValueError(f"the result of job {index} was {found!r}, not {other}")
        return took


async def _sleep(seconds: float) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        time.sleep(max(seconds, 0))  # noqa: ASYNC251 - no loop runs
    else:
        await asyncio.sleep(max(seconds, 0))


def main() -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to the log
    contender = importlib.import_module(f"benchmarks.contenders.{sys.argv[1]}")
    agent = Agent(contender)
    contender.run(contender.connect())
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answer = _obeyed(contender.run, getattr(agent, name)(**arguments))
        print(json.dumps(answer), file=replies, flush=True)


def _obeyed(run: Any, order: Coroutine[Any, Any, Any]) -> dict[str, Any]:
    try:
        return {"answer": run(order)}
    except Exception as error:  # noqa: BLE001 - the runner notes it and goes on
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
