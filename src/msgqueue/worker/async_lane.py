"""The coroutine jobs of a child: many at once, in one event loop in a thread of its own."""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from msgqueue.jobs import Claimed, Outcome
from msgqueue.observe.faults import fault_point
from msgqueue.worker.doorbell import Doorbell
from msgqueue.worker.endings import Ending, failure
from msgqueue.worker.exchange import Exchange, Held
from msgqueue.worker.execution import Call, Execution
from msgqueue.worker.hygiene import OWN_THREADS, Hygiene
from msgqueue.worker.journal import ASYNC, Begin, JournalWriter
from msgqueue.worker.limits import JobTimeout
from msgqueue.worker.pace import MOST
from msgqueue.worker.shared import clock
from msgqueue.worker.stepping import noting_steps
from msgqueue.worker.turnover import Turnover

GATHER: Final = 0.004  # seconds in which outcomes gather for one report, where many end
MANY: Final = 4  # ends that come soon
OFFER_EVERY: Final = 1.0  # seconds between two words to the supervisor that there is room
LOOK: Final = 0.1  # seconds between two looks for stops and deadlines

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """A coroutine that has a place. `late`: it was cancelled for its time limit."""

    task: asyncio.Task[None]
    begun: bool = False
    deadline: float = float("inf")
    late: bool = False


class AsyncLane:
    """Runs up to `concurrency` coroutines; its clerk reports them and claims more.

    While the sync lane is busy or idle alike, the clerk serves this lane, so that neither
    waits for the other.

    Args:
        concurrency: how many run at once.
        doorbell: rings when there may be work.
        claim: reports, claims up to so many jobs and hands each to its lane. May block.
        hygiene: ends what a coroutine has forked.
        after: called after each coroutine, and when the loop cannot go on.
    """

    def __init__(
        self,
        execution: Execution,
        exchange: Exchange,
        journal: JournalWriter,
        concurrency: int,
        doorbell: Doorbell,
        claim: Callable[[int], int],
        hygiene: Hygiene,
        after: Callable[[], None],
    ) -> None:
        self._execution, self._exchange, self._journal = execution, exchange, journal
        self._concurrency, self._doorbell, self._claim = concurrency, doorbell, claim
        self._hygiene, self._after = hygiene, after
        self._backlog: deque[tuple[Held, Call]] = deque()
        self._running: dict[int, _Run] = {}
        self._turnover = Turnover()
        self._looking = False
        self._loop = asyncio.new_event_loop()
        self._wanted = asyncio.Event()
        self._calls = ThreadPoolExecutor(1, f"{OWN_THREADS}'s clerk")
        self._thread = threading.Thread(target=self._serve, name=OWN_THREADS, daemon=True)
        self._thread.start()

    @property
    def room(self) -> int:
        """How many more jobs it can take.

        Where many end within a moment, their successors are claimed before, so that no place
        stays empty for the time of a claim.
        """
        taken = len(self._running) + len(self._backlog)
        return self._concurrency + self._turnover.soon() - taken

    @property
    def brisk(self) -> bool:
        """Whether so many coroutines end that its clerk asks for work all the time."""
        return self._turnover.soon() > MANY

    @property
    def waiting(self) -> bool:
        """Whether there are jobs that have not begun."""
        return bool(self._backlog) or not all(run.begun for run in self._running.copy().values())

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits here."""
        return not self._running and not self._backlog

    def submit(self, held: Held, call: Call) -> None:
        """Take a coroutine job, which `start` begins as soon as there is room; from any thread."""
        self._backlog.append((held, call))

    def start(self) -> None:
        """Begin what was submitted; from any thread."""
        self._loop.call_soon_threadsafe(self._fill)

    def close(self) -> None:
        """End the loop; nothing may run in it any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._doorbell.listener = True
        self._loop.add_reader(self._doorbell.fileno(), self._rung)
        self._loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix=OWN_THREADS))
        os.register_at_fork(after_in_child=self._loop.stop)
        clerk = self._loop.create_task(self._clerk())
        try:
            self._loop.run_forever()
        except OSError:  # a job closed what it waits on
            logger.exception("the async lane cannot go on")
            self._after()
        self._hygiene.end_fork()
        clerk.cancel()

    def _rung(self) -> None:
        if not self._doorbell.answer():
            self._loop.remove_reader(self._doorbell.fileno())
            self._doorbell.pass_on()
        elif self.brisk and not self._journal.draining:  # the main thread may sleep on
            self._wanted.set()
        elif self._doorbell.pass_on():
            self._loop.call_later(LOOK, self._offer)
        else:
            self._wanted.set()

    def _offer(self) -> None:
        """Tell the supervisor of this lane's room where the main thread is at a long job."""
        if self.room > 0 and self._doorbell.may_ring():
            self._loop.call_later(OFFER_EVERY, self._offer)

    async def _clerk(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self.brisk:
                await asyncio.sleep(GATHER)
            room = 0 if self._journal.draining else max(0, min(self.room, MOST))
            if not room and not self._exchange.pending:
                continue
            came = await self._loop.run_in_executor(self._calls, self._claim, room)
            self._fill()
            if came:
                self._wanted.set()  # there may be more
            else:
                self._offer()

    def _fill(self) -> None:
        while self._backlog and len(self._running) < self._concurrency:
            held, call = self._backlog.popleft()
            task = self._loop.create_task(self._run(held, call), name=f"job {held.job.id}")
            self._running[held.slot] = _Run(task)
        if self._running and not self._looking:
            self._looking = True
            self._loop.call_later(LOOK, self._look)

    async def _run(self, held: Held, call: Call) -> None:
        slot, job = held
        try:
            began = await self._begin(held)
            if began is not None:
                now, started = began
                ending = await self._end(slot, job, call, self._running[slot])
                self._hygiene.end_fork()
                ended = clock()
                times = started, started + ended - now
                names = job.queue, job.id, job.execution
                self._exchange.add(slot, Outcome(*names, *ending, *times), ended)
                fault_point("async.ended")
                self._turnover.note(ended)
        finally:
            del self._running[slot]
        self._fill()
        self._wanted.set()
        self._after()

    async def _begin(self, held: Held) -> tuple[float, float] | None:
        """When it began, by our clock and in Unix seconds; None where it was taken back."""
        slot, job = held
        while True:
            now, started = clock(), time.time()
            begin = self._journal.begin(slot, job.timeout, now, started, ASYNC)
            if begin is not Begin.LATE:
                break
            await asyncio.sleep(LOOK)
        if begin is Begin.REVOKED:
            self._journal.free((slot,))
            return None
        run = self._running[slot]
        run.begun = True
        if job.timeout > 0:
            run.deadline = now + job.timeout
        return now, started

    async def _end(self, slot: int, job: Claimed, call: Call, run: _Run) -> Ending:
        fault_point("async.started")
        enter = partial(self._journal.enter, slot)
        try:
            running = self._execution.perform(call, job)
            return await noting_steps(running, enter, self._journal.leave)
        except asyncio.CancelledError as error:
            if run.late:
                return failure(JobTimeout(job.timeout).with_traceback(error.__traceback__))
            return failure(error)

    def _look(self) -> None:
        """Cancel what somebody asked to stop, and what is late; while anything runs."""
        self._journal.leave()
        now = clock()
        for slot, run in self._running.items():
            late = now > run.deadline and not run.late
            run.late = run.late or late
            if late or self._journal.stopping(slot):
                run.task.cancel()
        if not self.brisk:
            self._doorbell.speak_up()
        self._looking = bool(self._running)
        if self._looking:
            self._loop.call_later(LOOK, self._look)
