"""The coroutine jobs of a child: many at once, in one event loop in a thread of its own."""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from msgqueue.jobs import Outcome
from msgqueue.worker.doorbell import Doorbell
from msgqueue.worker.exchange import Exchange, Held
from msgqueue.worker.execution import Call, Execution
from msgqueue.worker.journal import ASYNC, Begin, JournalWriter
from msgqueue.worker.limits import SupervisorLost
from msgqueue.worker.pace import MOST
from msgqueue.worker.shared import clock

GATHER: Final = 0.002  # seconds in which outcomes gather for one report
OFFER_EVERY: Final = 1.0  # seconds between two words to the supervisor that there is room
LOOK: Final = 0.1  # seconds between two looks for stops, and for a lease to be confirmed


class AsyncLane:
    """Runs up to `concurrency` coroutines; its clerk reports them and claims more.

    While the sync lane is busy or idle alike, the clerk serves this lane, so that neither
    waits for the other.

    Args:
        concurrency: how many run at once.
        doorbell: rings when there may be work.
        claim: reports, claims up to so many jobs and hands each to its lane. May block.
    """

    def __init__(
        self,
        execution: Execution,
        exchange: Exchange,
        journal: JournalWriter,
        concurrency: int,
        doorbell: Doorbell,
        claim: Callable[[int], int],
    ) -> None:
        self._execution, self._exchange, self._journal = execution, exchange, journal
        self._concurrency, self._doorbell, self._claim = concurrency, doorbell, claim
        self._backlog: deque[tuple[Held, Call]] = deque()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._wanted = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="async lane", daemon=True)
        self._thread.start()

    @property
    def room(self) -> int:
        """How many more coroutines could begin at once."""
        return self._concurrency - len(self._running) - len(self._backlog)

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits here."""
        return not self._running and not self._backlog

    def submit(self, held: Held, call: Call) -> None:
        """Run a coroutine job as soon as there is room; from any thread."""
        self._backlog.append((held, call))
        self._loop.call_soon_threadsafe(self._fill)

    def close(self) -> None:
        """End the loop; nothing may run in it any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._doorbell.listener = True
        self._loop.add_reader(self._doorbell.fileno(), self._rung)
        duties = [self._loop.create_task(duty) for duty in (self._clerk(), self._look())]
        with contextlib.suppress(SupervisorLost):
            self._loop.run_forever()
        for duty in duties:
            duty.cancel()

    def _rung(self) -> None:
        if not self._doorbell.answer():
            self._loop.remove_reader(self._doorbell.fileno())
            self._doorbell.pass_on()
        elif self._doorbell.pass_on():
            self._loop.call_later(LOOK, self._offer)
        else:
            self._wanted.set()

    def _offer(self) -> None:
        """Tell the supervisor of this lane's room where the main thread is at a long job."""
        if self.room > 0 and self._doorbell.may_ring():
            self._loop.call_later(OFFER_EVERY, self._offer)

    def _fill(self) -> None:
        while self._backlog and len(self._running) < self._concurrency:
            held, call = self._backlog.popleft()
            running = self._loop.create_task(self._run(held, call), name=f"job {held.job.id}")
            self._running[held.slot] = running
            running.add_done_callback(partial(self._left, held.slot))

    def _left(self, slot: int, _task: asyncio.Task[None]) -> None:
        self._running.pop(slot, None)

    async def _run(self, held: Held, call: Call) -> None:
        slot, job = held
        while True:
            now, started = clock(), time.time()
            begin = self._journal.begin(slot, job.timeout, now, started, ASYNC)
            if begin is not Begin.LATE:
                break
            await asyncio.sleep(LOOK)
        if begin is Begin.REVOKED:
            self._journal.free((slot,))
            return
        ending = await self._execution.run_async(call, job)
        ended = clock()
        times = started, started + ended - now
        outcome = Outcome(job.queue, job.id, job.execution, ending.kind, ending.value, *times)
        self._exchange.add(slot, outcome, ended)
        self._wanted.set()

    async def _clerk(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(GATHER)
            self._fill()
            room = 0 if self._journal.draining else max(0, min(self.room, MOST))
            if await asyncio.to_thread(self._claim, room):
                self._wanted.set()  # there may be more
            else:
                self._offer()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK if self._running else 10 * LOOK)
            for slot, running in list(self._running.items()):
                if self._journal.stopping(slot):
                    running.cancel()
