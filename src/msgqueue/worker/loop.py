"""The loop of a supervisor: single-threaded, it never waits for any one thing."""

import logging
import os
import select
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from msgqueue.observe.logs import event
from msgqueue.store import steps
from msgqueue.store.codec import now_text
from msgqueue.store.messages import Entry
from msgqueue.store.signals import Signal, Wakeup
from msgqueue.worker import crowd, heart, scaler, watch
from msgqueue.worker.calls import Calls
from msgqueue.worker.crowd import Crowd
from msgqueue.worker.extras import ExtraProcess, Extras
from msgqueue.worker.fleet import Fleet
from msgqueue.worker.heart import Heart
from msgqueue.worker.os_signals import Signals
from msgqueue.worker.plan import Plan
from msgqueue.worker.process import ChildProcess
from msgqueue.worker.scaler import Scaler
from msgqueue.worker.shared import NEVER, Context, clock
from msgqueue.worker.upkeep import Upkeep
from msgqueue.worker.waking import Waking

LOOK_EVERY: Final = 1.0  # seconds between two looks at the queues, whatever was heard
POLL_EVERY: Final = 0.02  # seconds, where the server tells of no changes
GIVE_UP: Final = 5.0  # seconds after the grace time to settle in while Redis is away
LEAVE_WITHIN: Final = 1.0  # seconds in which what is given back at the end has to be answered

logger = logging.getLogger(__name__)


class Loop:
    """One run of a supervisor.

    Attributes:
        forced: whether a second signal ended it.
        interrupted: how many jobs ran when the first signal came.
    """

    def __init__(self, plan: Plan, context: Context, signals: Signals) -> None:
        source = plan.queue.source
        self._plan, self._signals = plan, signals
        self._calls = Calls(source, self._come_back)
        self._upkeep_calls = Calls(source)
        self._all_calls = self._calls, self._upkeep_calls
        self._wakeup = Wakeup(source, plan.terms.queues)
        self._fleet = Fleet(
            context,
            plan.queue,
            plan.terms,
            plan.identity,
            self._calls,
            self._wakeup,
            self._forget,
        )
        self._heart = Heart(self._calls, lambda: self._fleet.children, self._fleet.stop)
        name = plan.identity.name or f"msgqueue.{socket.gethostname()}.{os.getpid()}"
        self._upkeep = Upkeep(self._upkeep_calls, plan.terms.queues, name, promotes=plan.promotes)
        self._idle_since, self._done_seen = clock(), 0
        self._scaler = Scaler(plan.bounds, plan.terms.queues, self._fleet, self._calls)
        self._crowd = Crowd(self._upkeep_calls)
        self._waking = Waking(self._fleet, self._wakeup, self._crowd, self._look_soon)
        self._extras = Extras(context, plan.extras, self._forget)
        self._at: dict[Callable[[], None], float] = {
            self._beat: 0.0,
            self._look: 0.0,
            self._look_at_queues: 0.0,
            self._look_around: 0.0,
            self._scale: 0.0 if self._scaler.scales else NEVER,
        }
        self._draining_at: float | None = None
        self._code = 0
        self.forced = False
        self.interrupted = 0

    @property
    def done(self) -> int:
        """How many jobs were run."""
        return self._fleet.done

    def run(self) -> int:
        """Loop until all has ended."""
        self._wakeup.connect()
        self._extras.start()
        try:
            while not self._over():
                self._do_what_is_due()
                self._wait()
            return self._code
        finally:
            self._fleet.end()
            self._extras.kill()
            for calls in self._all_calls:
                calls.close()
            self._wakeup.close()

    # What is done at its time

    def _do_what_is_due(self) -> None:
        self._fleet.fill()
        now = clock()
        for duty, at in list(self._at.items()):
            if now >= at:
                duty()
        self._waking.go()
        for calls in self._all_calls:
            calls.go()
        self._upkeep.go()

    def _beat(self) -> None:
        self._at[self._beat] = clock() + heart.EVERY
        self._heart.beat()

    def _look(self) -> None:
        self._fleet.reap()
        busy = self._fleet.look() or len(self._fleet.idle) < len(self._fleet.living)
        self._at[self._look] = clock() + (watch.EVERY if busy else LOOK_EVERY)
        if self._draining_at is None:
            self._extras.mind(self._end_without)
        self._mind_ends()
        if busy and self._heart.behind:
            self._beat()
        if self._draining_at is not None and clock() > self._draining_at + self._plan.grace:
            self._fleet.end()

    def _look_soon(self) -> None:
        self._at[self._look] = min(self._at[self._look], clock() + watch.EVERY)

    def _mind_ends(self) -> None:
        """Drain once it has run as many jobs, or was idle for as long, as it is to."""
        if self._fleet.done != self._done_seen or not self._fleet.at_rest:
            self._idle_since, self._done_seen = clock(), self._fleet.done
        jobs = self._plan.terms.jobs
        if jobs is not None and self._fleet.done >= jobs:
            self._drain(f"{jobs} jobs were run")
        elif clock() - self._idle_since >= self._plan.idle:
            self._drain(f"idle for {self._plan.idle:g} s")

    def _look_at_queues(self) -> None:
        pause = LOOK_EVERY if self._wakeup.tracking else POLL_EVERY
        self._at[self._look_at_queues] = clock() + pause
        if self._wakeup.connected or (not self._calls.away and self._wakeup.connect()):
            self._wakeup.arm()
        if self._plan.burst and self._fleet.at_rest:
            self._calls.ask(lambda: steps.waiting(self._plan.terms.queues), self._end_burst)

    def _look_around(self) -> None:
        self._at[self._look_around] = clock() + crowd.EVERY
        self._crowd.look()

    def _scale(self) -> None:
        self._at[self._scale] = clock() + scaler.EVERY
        self._scaler.look()

    def _come_back(self) -> None:
        """Redis was away: what we hear it by may be connected to another server by now."""
        self._wakeup.close()
        self._at[self._look_at_queues] = 0.0

    def _end_burst(self, waiting: dict[str, int]) -> None:
        if self._fleet.quiet and not any(waiting.values()):
            self._drain("the queues are empty")

    # What is heard

    def _wait(self) -> None:
        """Sleep until something is heard or due, and act on what was heard."""
        heard = self._heard_from()
        poll = select.poll()
        for fd in heard:
            poll.register(fd, select.POLLIN)
        at = min(
            *self._at.values(),
            self._fleet.wants_at,
            *(calls.wants_at for calls in self._all_calls),
            self._upkeep.wants_at,
            self._waking.wants_at,
        )
        pause = max(0.0, at - clock())
        for fd, _ in poll.poll(pause * 1000 + (0.5 if pause else 0)):
            heard[fd]()

    def _heard_from(self) -> dict[int, Callable[[], None]]:
        heard: dict[int, Callable[[], None]] = {self._signals.fileno(): self._hear_signals}
        for child in (child for child in self._fleet.living if not child.bell.deaf):
            heard[child.bell.fileno()] = partial(self._hear_child, child)
        for calls in self._all_calls:
            fd = calls.fileno()
            if fd is not None:
                heard[fd] = calls.receive
        for fd in self._wakeup.filenos():
            heard[fd] = self._hear_redis
        return heard

    def _hear_signals(self) -> None:
        for heard in self._signals.read():
            if heard is signal.SIGCHLD:
                self._at[self._look] = 0.0
            elif self._draining_at is None:
                self.interrupted = self._fleet.running
                self._drain(f"{heard.name} received")
                self._tell_shutdown()
            elif clock() - self._draining_at >= self._plan.insist:
                self.forced = True
                self._fleet.end()

    def _hear_child(self, child: ChildProcess) -> None:
        got = self._fleet.hear(child)
        if not child.bell.idle and not child.bell.half_idle:
            self._waking.roused(child)
            return
        self._waking.came_back(child, got)
        if self._plan.burst:
            self._at[self._look_at_queues] = 0.0
        self._mind_ends()

    def _hear_redis(self) -> None:
        for heard in self._wakeup.read():
            if heard.kind in ("work", "changed"):
                self._waking.hear(heard)
            else:
                self._obey(heard)

    def _obey(self, heard: Signal) -> None:
        child = self._fleet.named(heard.worker)
        if child is None:
            return
        if heard.kind == "stop":
            self._calls.ask(lambda: steps.stop(heard.job_id, heard.execution), self._stop)
        elif heard.kind == "kill":
            child.kill_running()
        else:
            self._fleet.relieve(child, child.drain())
            if self._scaler.lower() == 0:
                self._drain("rq's shutdown command received")
                self._tell_shutdown()

    def _stop(self, entry: Entry | None) -> None:
        if entry is not None:
            self._fleet.stop(entry.member)

    # How it ends

    def _drain(self, why: str) -> None:
        if self._draining_at is not None:
            return
        event(logger, "drain", why=why, grace=self._plan.grace, running=self._fleet.running)
        self._draining_at = clock()
        self._upkeep.leave()
        self._fleet.drain()
        self._at |= {self._look: 0.0, self._scale: NEVER}

    def _tell_shutdown(self) -> None:
        """Let rq's views show that the workers were asked to end."""
        workers = [child.lane.worker for child in self._fleet.living]
        asked_at = now_text()
        self._calls.ask(lambda: steps.note_shutdown(workers, asked_at), lambda _count: None)

    def _over(self) -> bool:
        """Whether children and extras have ended, and their accounts are settled or given up."""
        if self._draining_at is None or self._fleet.living or self._fleet.owes:
            return False
        away = self._calls.away and clock() > self._draining_at + self._plan.grace + GIVE_UP
        if self._fleet.children and not away:
            return False
        if not self._upkeep_calls.idle and clock() < self._draining_at + LEAVE_WITHIN:
            return False
        return self._extras.end()

    def _end_without(self, extra: ExtraProcess) -> None:
        self._code = extra.exit_code or 1
        self._drain(f"{extra.extra.name} did not start")

    def _forget(self) -> None:
        """In a process that was just forked: close what is the supervisor's."""
        self._signals.close()
        for calls in self._all_calls:
            calls.close()
        self._extras.close()
        self._wakeup.close()
