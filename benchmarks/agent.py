"""Uses one contender inside its own environment: takes orders from the runner, a line of JSON each.

Started as `python -m benchmarks.agent MODULE`. Everything that is timed on the enqueuing side is
timed here, in the process that enqueues.
"""

import asyncio
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from benchmarks.stamps import PROBE, Stamps

OTHER = 50
"""The second argument of a job; those that wait take it for milliseconds."""
CHUNK = 10_000
"""Jobs that one call enqueues in bulk."""
PATIENCE = 10.0
"""Seconds within which a single job on an idle queue must begin."""


class Agent:
    """What the runner may order; each method answers something that JSON can carry."""

    def __init__(self, contender: Any, stamps: Stamps) -> None:
        self._contender = contender
        self._stamps = stamps

    async def keeps(self) -> str:
        """What is kept of a finished job."""
        return str(self._contender.KEEPS)

    async def workers(self, processes: int, concurrency: int | None) -> list[list[str]]:
        """The commands that start its workers."""
        return [list(command) for command in self._contender.workers(processes, concurrency)]

    async def probe(self) -> None:
        """Enqueue the job by which ready workers show themselves."""
        await self._contender.enqueue("noop", PROBE, OTHER)

    async def one_by_one(self, count: int) -> float:
        """Enqueue so many jobs one at a time; the seconds that it took."""
        enqueue = self._contender.enqueue
        began = time.perf_counter()
        for index in range(count):
            await enqueue("noop", index, OTHER)
        return time.perf_counter() - began

    async def in_bulk(self, task: str, count: int, other: int = OTHER) -> float:
        """Enqueue so many jobs in bulk; the seconds that it took."""
        began = time.perf_counter()
        for first in range(0, count, CHUNK):
            await self._contender.enqueue_many(task, first, min(CHUNK, count - first), other)
        return time.perf_counter() - began

    async def starts(self, count: int, pause: float) -> list[float]:
        """Enqueue one job each `pause` seconds; from each call to the job's start, in seconds."""
        called = []
        due = time.monotonic()
        for index in range(count):
            called.append(time.monotonic())
            await self._contender.enqueue("noop", index, OTHER)
            due += pause
            await self._sleep(due - time.monotonic())
        until = time.monotonic() + PATIENCE
        while self._stamps.begun(count) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"{self._stamps.begun(count)} of {count} jobs began")
            await self._sleep(0.01)
        return [self._stamps.starts[index] - moment for index, moment in enumerate(called)]

    async def results(self, count: int) -> list[float]:
        """Enqueue a job when the result of the last one is there; the seconds of each."""
        took = []
        for index in range(count):
            began = time.perf_counter()
            handle = await self._contender.enqueue("noop", index, OTHER)
            found = await self._contender.result(handle)
            took.append(time.perf_counter() - began)
            if found != OTHER:
                raise ValueError(f"the result of job {index} was {found!r}, not {OTHER}")
        return took

    async def _sleep(self, seconds: float) -> None:
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
    agent = Agent(contender, Stamps(Path(os.environ["BENCH_STAMPS"])))
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
