"""The loop of one warm process: claim, execute, report; again until its supervisor ends it."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from msgqueue.jobs import Claimed, Kind, Outcome
from msgqueue.observe.faults import fault_point
from msgqueue.observe.logs import event
from msgqueue.queue import TaskQueue
from msgqueue.store.link import Link
from msgqueue.worker.async_lane import AsyncLane
from msgqueue.worker.demand import Demand
from msgqueue.worker.doorbell import Doorbell
from msgqueue.worker.endings import Ending
from msgqueue.worker.exchange import BEGIN_WITHIN, Exchange, Held
from msgqueue.worker.execution import Call, Execution
from msgqueue.worker.hygiene import UNCLEAN, Hygiene
from msgqueue.worker.journal import SYNC, Begin, JournalWriter
from msgqueue.worker.lifeline import Lifeline
from msgqueue.worker.limits import TimeLimit
from msgqueue.worker.lookout import Lookout
from msgqueue.worker.outfit import Outfit
from msgqueue.worker.pace import Pace
from msgqueue.worker.rq_current import show_current_job
from msgqueue.worker.rq_path import RqPath, task_rules
from msgqueue.worker.shared import clock
from msgqueue.worker.tidying import Tidying

DOUBT: Final = 0.1  # seconds between two looks whether a beat has confirmed a lease
TOLD: Final[Mapping[Kind, str]] = {
    "ok": "job finished",
    "none": "job finished",
    "error": "job failed",
    "retry": "job asks to retry",
    "repeat": "job finished, and repeats",
}  # a declined one has been told of
LEVELS: Final[Mapping[Kind, int]] = dict.fromkeys(TOLD, logging.INFO) | {"error": logging.WARNING}

logger = logging.getLogger(__name__)


class Child:
    """Runs one lane's jobs: functions one after the other, coroutines in the async lane."""

    def __init__(self, queue: TaskQueue, outfit: Outfit) -> None:
        self._queue, self._outfit = queue, outfit
        self._journal = JournalWriter(outfit.journal)
        self._limit = TimeLimit()
        self._lifeline = Lifeline(outfit.lifeline.fileno(), self._limit.end_by, BEGIN_WITHIN)
        self._doorbell = Doorbell(outfit.wake.fileno(), self._lifeline.cut)
        self._exchange = Exchange(
            Link(queue.source),
            outfit.lane,
            self._journal,
            self._lifeline.persist,
            meanwhile=self._doorbell.tell_roused,
        )
        self._execution = Execution(queue, self._limit, outfit.lane.worker)
        terms = outfit.terms
        self._rq_path = self._path_of(terms.rules)
        self._demand, self._pace = Demand(terms), Pace(terms.claim)
        self._claiming = threading.Lock()  # one lane at a time
        self._jobs: deque[tuple[Held, Call | None]] = deque()
        self._lane: AsyncLane | None = None
        self._busy = self._found = self._roused = False
        self._wall = time.time() - clock()
        self._lookout = Lookout(queue.source, terms.queues, self._journal)
        fds = *self._doorbell.fds, outfit.lifeline.fileno()
        self._hygiene = Hygiene(fds, self._limit.restart)
        self._tidying = Tidying(self._hygiene, self._leave)
        show_current_job(self._rq_path.fetch)

    def _path_of(self, rules: Callable[[TaskQueue, TimeLimit], RqPath] | None) -> RqPath:
        if rules is not None:
            return rules(self._queue, self._limit)
        return RqPath(task_rules(self._queue, self._outfit.lane.worker), self._limit)

    def run(self) -> None:
        """Work until the supervisor drains this child, or is gone."""
        self._doorbell.wait()  # until it is registered
        self._rq_path.after_deaths(self._outfit.deaths)
        if any(task.is_async for task in self._queue.tasks.values()):
            self._async_lane()
        while not self._journal.draining and not self._lifeline.lost:
            if self._jobs:
                self._step(*self._jobs.popleft())
            elif self._spent:
                self._leave(f"it has run max_jobs={self._outfit.terms.max_jobs} jobs")
            elif self._claim_next():
                self._found = True
                self._lookout.found()
                if not self._jobs:  # they were coroutines: their clerk claims what follows
                    self._rest()
            else:
                self._rest()
        self._end()

    def _claim_next(self) -> int:
        """Claim for the main thread, and say if others may find work, too; how many jobs came."""
        room = self._room()
        came = self._claim(room, for_async=False)
        if self._roused and came == room:
            self._doorbell.tell_plenty()
        self._roused = False
        return came

    @property
    def _spent(self) -> bool:
        """Whether it has claimed as many jobs as one child is to run, and begun them."""
        return self._demand.over and (self._lane is None or not self._lane.waiting)

    def _leave(self, why: str, broken: bool = False) -> None:
        """Begin nothing more: another child takes this one's place."""
        event(logger, "worker retires", worker=self._outfit.lane.worker, why=why)
        self._journal.retire()
        if broken:
            self._exit_at_once()
        self._doorbell.leave()

    def _claim(self, count: int, *, for_async: bool) -> int:
        """Report and claim; each job goes to its lane. How many jobs came."""
        now = clock()
        queues = self._demand.queues(now, for_async=for_async)
        if not queues and not self._exchange.pending:
            return 0
        with self._claiming:
            count = self._demand.limited(count) if queues else 0
            held = self._exchange.call(queues, count)
            self._wall = time.time() - clock()
            if count:
                self._demand.note(queues, [one.job.queue for one in held])
            for one in held:
                self._hand(one, now)
            self._demand.handed_out(len(held))  # last: `_spent` may be asked meanwhile
        if held and self._lane is not None:
            self._lane.start()
        return len(held)

    def _room(self) -> int:
        """How many jobs to claim; any of them may be coroutines."""
        count = self._pace.next()
        if self._lane is None or self._lane.idle:
            return count
        return min(count, max(1, self._lane.room))

    def _hand(self, held: Held, now: float) -> None:
        by_rq = held.job.rq_only or self._outfit.terms.rules is not None
        call = None if by_rq else self._execution.read(held.job)
        if isinstance(call, Ending):
            self._refuse(held, call)
        elif call is not None and call.task.is_async:
            lane = self._async_lane()
            if lane.room <= 0:
                self._demand.set_aside(held.job.queue, now, is_async=True)
            lane.submit(held, call)
        else:
            if self._busy:
                self._demand.set_aside(held.job.queue, now, is_async=False)
            self._jobs.append((held, call))

    def _async_lane(self) -> AsyncLane:
        if self._lane is None:
            self._lane = AsyncLane(
                self._execution,
                self._exchange,
                self._journal,
                self._outfit.terms.concurrency,
                self._doorbell,
                self._claim_for_async,
                self._hygiene,
                self._after_coroutine,
            )
        return self._lane

    def _claim_for_async(self, count: int) -> int:
        came = self._claim(count, for_async=True)
        if self._jobs or self._spent:
            self._doorbell.pass_on()
        return came

    def _step(self, held: Held, call: Call | None) -> None:
        """Run the next job, unless it was taken back or an older outcome must be reported first."""
        if self._exchange.due(clock()):
            self._exchange.call((), 0)
        now = clock()
        begin = self._journal.begin(held.slot, held.job.timeout, now, now + self._wall, SYNC)
        if begin is Begin.REVOKED:
            self._journal.free((held.slot,))
        elif begin is Begin.LATE:
            self._jobs.appendleft((held, call))
            time.sleep(DOUBT)
        else:
            self._run(held, call, now)

    def _run(self, held: Held, call: Call | None, now: float) -> None:
        fault_point("child.started")
        job = held.job
        if self._tidying.owed:
            self._tidying.tidy()
        self._busy = True
        if call is None:
            ending = self._rq_path.run(job, now, partial(self._journal.extend, held.slot))
        else:
            ending = self._execution.run(call, job, now)
        self._hygiene.end_fork()
        self._busy = False
        ended = clock()
        self._pace.note(ended - now)
        self._exchange.add(held.slot, self._outcome(job, ending, now, ended), ended)
        fault_point("child.ended")
        if self._rq_path.owes:
            self._exchange.call((), 0)
            self._rq_path.after_report()
        self._tidying.after(call, ended - now)
        if logger.isEnabledFor(logging.INFO):
            _tell(job, call, ending, ended - now)

    def _after_coroutine(self) -> None:
        """In the async lane: tidy up, unless something else runs, which may be at work on it."""
        self._tidying.owed = True
        if not self._busy and self._lane is not None and self._lane.idle:
            self._tidying.tidy(closely=True)
            if self._journal.draining:
                self._doorbell.pass_on()

    def _exit_at_once(self) -> None:
        """The supervisor reads the rest from the journal; nobody who runs here is to blame."""
        if self._exchange.due(clock()):  # an outcome that the journal had no room for
            self._exchange.call((), 0)
        os._exit(UNCLEAN)

    def _outcome(self, job: Claimed, ending: Ending, begun: float, ended: float) -> Outcome:
        wall = self._wall
        times = begun + wall, ended + wall
        return Outcome(job.queue, job.id, job.execution, ending.kind, ending.value, *times)

    def _refuse(self, held: Held, ending: Ending) -> None:
        """End a job that cannot be read, in its turn."""
        now = clock()
        if self._journal.begin(held.slot, 0, now, now + self._wall, SYNC) is Begin.BEGUN:
            self._exchange.add(held.slot, self._outcome(held.job, ending, now, now), now)
        else:
            self._journal.free((held.slot,))
        _tell(held.job, None, ending, 0.0)

    def _rest(self) -> None:
        """Nothing to do: tell the supervisor, and sleep until it has something."""
        alone = self._lane is None or self._lane.idle
        if self._exchange.due(clock()) or (self._exchange.pending and alone):
            return  # claiming again reports it; the async lane reports for itself
        self._tidying.tidy(closely=True)
        quietly = self._lane is not None and self._lane.brisk
        if self._journal.draining or (not quietly and self._lookout.sees_work()):
            return
        ears = () if quietly else self._lookout.listen()
        self._roused = self._doorbell.rest(found=self._found, quietly=quietly, ears=ears)
        self._lookout.pause()
        self._found = False

    def _end(self) -> None:
        """Report what ended. What is held stays noted: the supervisor gives it back."""
        while self._lane is not None and not self._lane.idle and not self._lifeline.over():
            time.sleep(DOUBT)
        if self._lane is not None:
            self._lane.close()
        if self._exchange.pending:
            self._exchange.call((), 0)


def _tell(job: Claimed, call: Call | None, ending: Ending, seconds: float) -> None:
    if level := LEVELS.get(ending.kind):
        event(
            logger,
            TOLD[ending.kind],
            level=level,
            job=job.id,
            task=call.task.name if call else None,
            queue=job.queue,
            attempt=job.attempt,
            seconds=seconds,
        )
