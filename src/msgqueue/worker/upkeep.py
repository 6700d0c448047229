"""Keeps a queue's house: takes over dead leases, queues due jobs, drops what has expired.

What concerns all queues of a Redis is done by one supervisor at a time, whoever holds the upkeep
lock. Due jobs of a queue are queued by one of those that work it, whoever holds rq's lock of it.
Each step is small.
"""

import logging
import secrets
from functools import partial
from typing import Final

from msgqueue.observe.logs import event
from msgqueue.store import steps
from msgqueue.store.codec import now_text
from msgqueue.store.messages import Damages, Leftovers, Promoted, Swept
from msgqueue.worker.calls import Calls
from msgqueue.worker.shared import NEVER, clock

EVERY: Final = 1.0  # seconds between two claims to the lead, and two looks for due jobs
ASK_EVERY: Final = 5.0  # seconds between two looks of one that neither leads nor holds rq's lock
HANDOVER_EVERY: Final = 5.0  # seconds; it repeats what children do at once
LEFTOVERS_EVERY: Final = 10.0  # seconds; what plain rq workers left behind is not urgent
TRIM_EVERY: Final = 30.0  # seconds between two queues
SOONEST: Final = 0.05  # seconds before the next sweep, or look at a queue for due jobs

logger = logging.getLogger(__name__)


class Upkeep:
    """The upkeep that falls to one supervisor.

    Args:
        calls: over which its steps go.
        queues: those that it works.
        name: under which it holds rq's locks.
        promotes: whether it queues due jobs.
    """

    def __init__(
        self, calls: Calls, queues: tuple[str, ...], name: str, *, promotes: bool = True
    ) -> None:
        self._calls, self._queues, self._name = calls, queues, name
        self._token = secrets.token_hex(8)
        self._leading = False
        self._lead_at = 0.0
        self._promote_at = 0.0 if promotes else NEVER
        self._held: set[str] = set()
        self._sweep_at = self._handover_at = self._leftovers_at = self._trim_at = 0.0
        self._trimmed = self._damaged = 0

    @property
    def wants_at(self) -> float:
        """Clock time of the next duty."""
        sweep_at = self._sweep_at if self._leading else NEVER
        return min(self._lead_at, sweep_at, self._trim_at, self._promote_at)

    def go(self) -> None:
        """Do what is due."""
        now = clock()
        if now >= self._lead_at:
            self._lead_at = now + EVERY
            self._calls.ask(partial(steps.lead, self._token), self._led)
        if self._leading and now >= self._sweep_at:
            self._sweep()
        if now >= self._promote_at:
            self._promote_at = now + (EVERY if self._leading or self._held else ASK_EVERY)
            self._calls.ask(self._promote, self._promoted)
        if now >= self._trim_at:
            self._trim_at = now + TRIM_EVERY
            self._trimmed = (self._trimmed + 1) % len(self._queues)
            self._trim(self._queues[self._trimmed])
            self._free_orphans(self._queues[self._trimmed])
            if self._leading:
                self._calls.ask(lambda: steps.damaged(0), self._see_damage)

    def leave(self) -> None:
        """Give the queues' scheduler locks back, so that another one need not wait."""
        for queue in self._held:
            self._calls.ask(partial(steps.leave_promoting, queue, self._name), _done)
        self._held.clear()
        self._leading = False
        self._lead_at = self._trim_at = self._promote_at = NEVER

    def _led(self, leading: bool) -> None:
        if leading != self._leading:
            event(logger, "upkeep begins" if leading else "upkeep ends", level=logging.DEBUG)
            self._sweep_at = 0.0
        self._leading = leading
        if not leading:
            return
        now = clock()
        if now >= self._leftovers_at:
            self._leftovers_at = now + LEFTOVERS_EVERY
            self._calls.ask(lambda: steps.leftovers(self._token, now_text()), self._cleared)
        if now >= self._handover_at:
            self._handover_at = now + HANDOVER_EVERY
            self._calls.ask(lambda: steps.handover(now_text()), self._handed_over)

    def _sweep(self) -> None:
        self._sweep_at = NEVER  # until it is answered
        self._calls.ask(lambda: steps.sweep(self._token, now_text()), self._swept)

    def _swept(self, swept: Swept) -> None:
        if swept.requeued or swept.failed:
            event(
                logger,
                "jobs recovered",
                level=logging.WARNING,
                requeued=swept.requeued,
                failed=swept.failed,
            )
        more = swept.rest == 0 and swept.requeued + swept.failed + swept.gone
        soonest = 0.0 if more else EVERY if swept.state else SOONEST
        self._sweep_at = clock() + max(swept.rest, soonest)

    def _cleared(self, left: Leftovers) -> None:
        if any(left):
            event(logger, "plain rq's jobs recovered", level=logging.WARNING, **left._asdict())

    def _promote(self) -> steps.Step[dict[str, Promoted]]:
        return steps.promote(self._queues, self._name, now_text())

    def _promoted(self, found: dict[str, Promoted]) -> None:
        if self._promote_at == NEVER:  # it leaves, and has given its locks back
            return
        self._held.clear()
        for queue, promoted in found.items():
            if promoted.moved:
                event(logger, "jobs due", queue=queue, count=promoted.moved)
            if promoted.rest is not None and not promoted.busy:
                self._held.add(queue)
                self._promote_at = min(self._promote_at, clock() + max(promoted.rest, SOONEST))

    def _see_damage(self, found: Damages) -> None:
        if found.total > self._damaged:
            cure = "msgqueue damaged shows what could not be read"
            event(logger, "jobs set aside", level=logging.WARNING, count=found.total, cure=cure)
        self._damaged = found.total

    def _handed_over(self, count: int) -> None:
        if count:
            self._handover_at = 0.0

    def _trim(self, queue: str) -> None:
        self._calls.ask(partial(steps.trim, queue), partial(self._trimmed_some, queue))

    def _trimmed_some(self, queue: str, count: int) -> None:
        if count:
            self._trim(queue)

    def _free_orphans(self, queue: str) -> None:
        step = partial(steps.orphans, queue)
        self._calls.ask(lambda: step(now_text()), partial(self._freed_some, queue))

    def _freed_some(self, queue: str, count: int) -> None:
        if count:
            event(logger, "jobs wait no longer for what is gone", queue=queue, count=count)
            self._free_orphans(queue)


def _done(_answer: bool) -> None:
    pass
