"""The children of one supervisor: started, replaced, woken, stopped, and settled when they end."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from msgqueue.observe.faults import fault_point
from msgqueue.observe.logs import event
from msgqueue.queue import TaskQueue
from msgqueue.store import steps
from msgqueue.store.codec import now_text
from msgqueue.store.messages import Entry, Settled
from msgqueue.store.signals import Wakeup
from msgqueue.worker.account import Record
from msgqueue.worker.calls import Calls
from msgqueue.worker.exits import Death
from msgqueue.worker.identity import Identity
from msgqueue.worker.journal import State
from msgqueue.worker.oom import OomKills
from msgqueue.worker.process import ChildProcess
from msgqueue.worker.shared import NEVER, Context, clock
from msgqueue.worker.terms import Terms
from msgqueue.worker.watch import Watch

CRASHED: Final = 1.0  # seconds; a child that ends sooner than that has crashed at its start
#: Seconds between two starts after such crashes, shortest and longest: what a dead child was at
#: runs again before a sweep would find it, however many children were killed before.
PAUSES: Final = (0.1, 5.0)

logger = logging.getLogger(__name__)


class Fleet:
    """Starts children and keeps as many as wanted alive.

    Attributes:
        wanted: how many children there should be.
        children: all that live, and all dead ones whose account is not settled.
    """

    def __init__(
        self,
        context: Context,
        queue: TaskQueue,
        terms: Terms,
        identity: Identity,
        calls: Calls,
        wakeup: Wakeup,
        forget: Callable[[], None],
    ) -> None:
        self._context, self._queue, self._terms = context, queue, terms
        self._calls, self._wakeup, self._forget = calls, wakeup, forget
        self._identity = identity
        self._deaths: list[Death] = []
        self._done = 0
        self._watch = Watch(self.relieve, terms.max_memory)
        self._oom_kills = OomKills()
        self._crashes = 0
        self._start_at = 0.0
        self.wanted = 0
        self.children: list[ChildProcess] = []

    @property
    def living(self) -> list[ChildProcess]:
        """The children whose process runs."""
        return [child for child in self.children if child.exit is None]

    @property
    def idle(self) -> list[ChildProcess]:
        """The children that wait to be woken."""
        return [child for child in self.living if child.bell.idle]

    @property
    def at_rest(self) -> bool:
        """Whether all children are up and none has anything to do."""
        return len(self.living) >= self.wanted and self.quiet

    @property
    def quiet(self) -> bool:
        """Whether no child has anything to do."""
        return all(child.at_rest for child in self.living)

    @property
    def wants_at(self) -> float:
        """Clock time at which `fill` has something to do; infinity for never."""
        if self._identity.name and self.children:
            return NEVER  # until its only child is settled, which closes the name's lane
        active = [child for child in self.living if not child.retired]
        wanted = max(self.wanted, int(self.owes))
        return self._start_at if len(active) < wanted else NEVER

    @property
    def owes(self) -> bool:
        """Whether a child is still to do what follows the death of a run: callbacks, webhooks."""
        return bool(self._deaths)

    def fill(self) -> None:
        """Start the children that are missing."""
        while self.wants_at <= clock():
            deaths, self._deaths = self._deaths, []
            child = ChildProcess(
                self._context,
                self._queue,
                self._identity,
                self._terms_left(),
                deaths=deaths,
                forget=self._forget_all,
            )
            self.children.append(child)
            if not self.wanted:  # it tells of deaths, and ends
                child.drain()
            self._wakeup.listen(child.lane.worker)
            self._calls.ask(partial(_registration, child), partial(self._registered, child))
            event(logger, "worker started", worker=child.lane.worker, pid=child.pid)

    def _terms_left(self) -> Terms:
        jobs = self._terms.jobs
        return self._terms if jobs is None else replace(self._terms, jobs=max(jobs - self.done, 0))

    @property
    def done(self) -> int:
        """How many jobs have been run."""
        accounts = [child.jobs.account() for child in self.living]
        return self._done + sum(account.successful + account.failed for account in accounts)

    def _registered(self, child: ChildProcess, _new: bool) -> None:
        child.wake()

    def reap(self) -> None:
        """See which children have ended, and settle their accounts."""
        for child in self.living:
            if child.reap():
                if self._oom_kills.recent():
                    child.suspect_kernel()
                self._ended(child)

    def _ended(self, child: ChildProcess) -> None:
        account, judged = child.jobs.account(), child.judged()
        outcomes = [child.jobs.outcome(record) for record in account.of(State.ENDED)]
        held = [record.entry for record in account.of(State.HELD)]
        self._done += account.successful + account.failed + len(outcomes) + len(judged)
        told = [run for run in judged if run.cause != "drain"]  # the others run once more
        self._deaths += [Death(run, child.pid, child.exit) for run in told if child.exit]
        orderly = child.retired and not judged
        event(
            logger,
            "worker ended" if orderly else "worker died",
            level=logging.INFO if orderly else logging.WARNING,
            worker=child.lane.worker,
            pid=child.pid,
            how=str(child.exit),
            job=judged[0].id if judged else None,
        )
        self._pace_starts(child)
        fault_point("settle.before")
        self._calls.ask(
            lambda: steps.settle(child.lane, outcomes, judged, held, now_text()),
            partial(self._settled, child),
        )

    def _pace_starts(self, child: ChildProcess) -> None:
        """A child that fails as it starts is not started again at once, and ever later."""
        shortest, longest = PAUSES
        if child.retired or child.jobs.account().answered or clock() > child.born + CRASHED:
            self._crashes = 0
            return
        self._start_at = clock() + min(shortest * 2**self._crashes, longest)
        self._crashes += 1

    def _settled(self, child: ChildProcess, settled: Settled) -> None:
        if settled.requeued or settled.failed:
            event(
                logger,
                "worker settled",
                worker=child.lane.worker,
                requeued=settled.requeued,
                failed=settled.failed,
            )
        self._watch.forget(child)
        self._wakeup.unlisten(child.lane.worker)
        self.children.remove(child)
        child.close()

    def look(self) -> bool:
        """Enforce limits; whether any child has something to do."""
        self._oom_kills.look()
        busy = [self._watch.look(child) for child in self.living]
        return any(busy)

    def relieve(
        self, child: ChildProcess, entries: Sequence[Entry], ended: Sequence[Record] = ()
    ) -> None:
        """Put entries that were taken from a child back to the front of their queues.

        Args:
            child: at a long job.
            entries: what it held.
            ended: what it has not come to report.
        """
        if not entries and not ended:
            return
        fault_point("release.before")
        outcomes = [child.jobs.outcome(record) for record in ended]

        def done(_count: int) -> None:
            child.jobs.returned(entries)
            child.jobs.reported(ended)

        self._calls.ask(
            lambda: steps.release(entries, now_text(), outcomes, child.lane.worker), done
        )

    def hear(self, child: ChildProcess) -> bool:
        """A child says something: whether it had found anything since it was woken."""
        found = child.bell.hear()
        if child.bell.leaving and not child.retired:
            self._watch.retire(child)
        return found

    def stop(self, member: str) -> None:
        """End a run that somebody asked to stop."""
        if not any(self._watch.stop(child, member) for child in self.living):
            logger.debug("nobody here runs %s", member)

    def named(self, worker: str) -> ChildProcess | None:
        """The child of this rq worker name."""
        return next((child for child in self.living if child.lane.worker == worker), None)

    @property
    def running(self) -> int:
        """How many jobs run."""
        return sum(len(child.jobs.account().running) for child in self.living)

    @property
    def busy(self) -> int:
        """How many children have something to do; those that are still starting have not."""
        return sum(
            not child.retired and not child.bell.idle and child.jobs.account().answered > 0
            for child in self.living
        )

    def retire_idle(self) -> None:
        """End the children beyond what is wanted, as far as they have nothing to do."""
        active = [child for child in self.living if not child.retired]
        idle = [child for child in active if child.at_rest]
        for child in idle[: max(0, len(active) - self.wanted)]:
            self.relieve(child, child.drain())

    def wake(self, count: int) -> int:
        """Wake so many idle children; how many there were."""
        idle = self.idle or [child for child in self.living if child.bell.half_idle]
        for child in idle[:count]:
            child.wake()
        return len(idle[:count])

    def drain(self) -> None:
        """Ask all children to end; what they hold goes back."""
        self.wanted = 0
        for child in self.living:
            self.relieve(child, child.drain())

    def end(self) -> None:
        """Kill all children; what they run goes back, nothing counted."""
        self._deaths.clear()
        for child in self.living:
            child.end()

    def _forget_all(self) -> None:
        self._forget()
        for child in self.children:
            child.forget()


def _registration(child: ChildProcess) -> steps.Step[bool]:
    return steps.register(child.lane, child.shown, now_text())
