"""Tests of your own tasks without any server: `pip install 'msgqueue[testing]'`.

As a fixture::

    @pytest.fixture
    def worker():
        with fake(shop.queue) as worker:
            yield worker

    def test_an_order_is_charged(worker):
        job = shop.charge.enqueue(7, cents=1999)
        worker.drain()
        assert job.result(timeout=0) == "charged"
"""

import asyncio
import secrets
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import fakeredis
import redis.asyncio

from msgqueue.connection import Source
from msgqueue.jobs import Claimed, Outcome
from msgqueue.queue import TaskQueue
from msgqueue.store import steps
from msgqueue.store.codec import now_text
from msgqueue.store.messages import Lane
from msgqueue.worker.endings import Ending
from msgqueue.worker.execution import Call, Execution
from msgqueue.worker.identity import Identity
from msgqueue.worker.limits import TimeLimit
from msgqueue.worker.rq_path import RqPath, task_rules
from msgqueue.worker.shared import clock
from msgqueue.worker.terms import Terms

NAME: Final = "msgqueue.testing"  # of its worker


def fake(queue: TaskQueue) -> "_Fake":
    """Divert a TaskQueue to an in-memory Redis of its own, for a `with` or `async with` block.

    Inside, the real enqueueing, claim, execution and report run; nothing runs by itself, but
    when the worker that the block is given is told to `drain`. Every block begins empty.
    """
    return _Fake(queue)


class InlineWorker:
    """A worker in the test's own process, which works when it is told to.

    Args:
        queue: whose jobs it runs, in whatever Redis the TaskQueue speaks to.
    """

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._lane: Lane | None = None
        self._seq = 0

    def drain(self) -> int:
        """Run jobs, one after the other, until none is queued or due; how many were run.

        Jobs that running jobs enqueue are run too. A retry with a pause, like any job that is
        scheduled for later, stays scheduled.
        """
        outcomes: list[Outcome] = []
        number = 0
        with _limit() as limit:
            runs = _Runs(self._queue, limit)
            while (job := self._turn(outcomes)) is not None:
                outcomes = [runs.run(job)]
                number += 1
        return number

    async def drain_async(self) -> int:
        """Like `drain`, with coroutine tasks on the running event loop."""
        outcomes: list[Outcome] = []
        number = 0
        with _limit() as limit:
            runs = _Runs(self._queue, limit)
            while (job := self._turn(outcomes)) is not None:
                outcomes = [await runs.run_async(job)]
                number += 1
        return number

    def _turn(self, outcomes: list[Outcome]) -> Claimed | None:
        """Report what ended, queue what is due, claim the next job."""
        store, names = self._queue.store, self._queue.names
        lane = self._lane or self._registered()
        for count in (0, 1):
            self._seq += 1
            step = steps.work(lane, self._seq, outcomes, names, count, now_text())
            worked = store.run(step)
            if worked.state == "missing":  # the test flushed Redis
                lane, outcomes = self._registered(), []
                continue
            if worked.claimed:
                return worked.claimed[0]
            outcomes = []
            store.run(steps.promote(names, lane.worker, now_text()))
        return None

    def _registered(self) -> Lane:
        name = secrets.token_hex(6)
        identity = Identity()
        self._lane, self._seq = Lane(name, identity.worker_name(name)), 0
        shown = identity.shown(identity.pid, Terms(self._queue.names))
        self._queue.store.run(steps.register(self._lane, shown, now_text()))
        return self._lane


class _Fake:
    """The block of `fake`."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._block = ExitStack()

    def __enter__(self) -> InlineWorker:
        self._block.enter_context(self._queue.diverted(_FakeSource()))
        return InlineWorker(self._queue)

    def __exit__(self, *_: object) -> None:
        self._block.close()

    async def __aenter__(self) -> InlineWorker:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        await self._queue.aclose()
        self._block.close()


class _Runs:
    """Runs claimed jobs in this process, as a worker's child does."""

    def __init__(self, queue: TaskQueue, limit: TimeLimit) -> None:
        self._execution = Execution(queue, limit, NAME)
        self._rq_path = RqPath(task_rules(queue, NAME), limit)

    def run(self, job: Claimed) -> Outcome:
        begun = time.time()
        call = self._read(job)
        if isinstance(call, Call) and call.task.is_async:
            return _outcome(job, _in_own_loop(lambda: self._execution.run_async(call, job)), begun)
        return _outcome(job, self._run_sync(call, job), begun)

    async def run_async(self, job: Claimed) -> Outcome:
        begun = time.time()
        call = self._read(job)
        if isinstance(call, Call) and call.task.is_async:
            return _outcome(job, await self._execution.run_async(call, job), begun)
        return _outcome(job, self._run_sync(call, job), begun)

    def _read(self, job: Claimed) -> Call | Ending | None:
        return None if job.rq_only else self._execution.read(job)

    def _run_sync(self, call: Call | Ending | None, job: Claimed) -> Ending:
        if isinstance(call, Ending):
            return call
        if call is None:
            return self._rq_path.run(job, clock(), _nobody_watches)
        return self._execution.run(call, job, clock())


def _nobody_watches(_until: float) -> None:
    """No supervisor ends a run."""


def _outcome(job: Claimed, ending: Ending, begun: float) -> Outcome:
    # No worker of another version will come.
    kind = "error" if ending.kind == "declined" else ending.kind
    return Outcome(job.queue, job.id, job.execution, kind, ending.value, begun, time.time())


def _in_own_loop(make: Callable[[], Coroutine[Any, Any, Ending]]) -> Ending:
    """Run a coroutine to its end, also where an event loop runs already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(make())).result()


@contextmanager
def _limit() -> Iterator[TimeLimit]:
    """Time limits by SIGALRM where signals may be handled, which is in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield _NoLimit()
        return
    before = signal.getsignal(signal.SIGALRM)
    try:
        yield TimeLimit()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _NoLimit(TimeLimit):
    """Lets every job run for as long as it takes."""

    def __init__(self) -> None:
        """Leave the process's signals alone."""

    def start(self, now: float, timeout: float, error: BaseException | None = None) -> None:
        """No timer is set."""

    def stop(self) -> None:
        """No timer was set."""


class _FakeSource(Source):
    """Connections to a fakeredis of its own."""

    def __init__(self) -> None:
        self._server = fakeredis.FakeServer()
        super().__init__(client=fakeredis.FakeRedis(server=self._server))
        self._fakes: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]
        self._fakes = WeakKeyDictionary()

    @property
    def address(self) -> str:
        """For messages."""
        return "fakeredis"

    def async_client(self) -> redis.asyncio.Redis:
        """A client for the running loop of what the synchronous client reaches."""
        loop = asyncio.get_running_loop()
        if loop not in self._fakes:
            self._fakes[loop] = fakeredis.FakeAsyncRedis(server=self._server)
        return self._fakes[loop]

    async def aclose(self) -> None:
        """Close the connections of the running event loop and the synchronous ones."""
        client = self._fakes.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
        self.close()
