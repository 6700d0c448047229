"""Has the number of children follow the load."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from msgqueue.observe.logs import event
from msgqueue.store import steps
from msgqueue.worker.calls import Calls
from msgqueue.worker.fleet import Fleet
from msgqueue.worker.scaling import Bounds, Course, Seen, decide
from msgqueue.worker.shared import clock

EVERY: Final = 1.0  # seconds between two looks

logger = logging.getLogger(__name__)


class Scaler:
    """Looks at the queues and the children, decides, and tells the fleet.

    Args:
        bounds: between which numbers.
        queues: whose jobs wait.
        fleet: the children.
        calls: over which Redis is asked.
    """

    def __init__(self, bounds: Bounds, queues: Sequence[str], fleet: Fleet, calls: Calls) -> None:
        self._bounds, self._queues, self._fleet, self._calls = bounds, queues, fleet, calls
        self._course = Course(bounds.low, clock())
        self._asking = False
        fleet.wanted = bounds.low

    @property
    def scales(self) -> bool:
        """Whether there is anything to decide."""
        return self._bounds.low < self._bounds.high

    def look(self) -> None:
        """Decide; how long jobs wait is asked only where it can matter."""
        self._fleet.retire_idle()
        if self._fleet.busy < self._course.wanted:
            self._decide(0.0)
        elif not self._asking:
            self._asking = True
            self._calls.ask(lambda: steps.oldest(self._queues), self._heard)

    def lower(self) -> int:
        """One child was ended for good: how many are wanted without it."""
        bounds = self._bounds
        self._bounds = replace(bounds, low=max(0, bounds.low - 1), high=bounds.high - 1)
        return self._follow(replace(self._course, wanted=max(0, self._course.wanted - 1)))

    def _heard(self, waited: float) -> None:
        self._asking = False
        self._decide(waited)

    def _decide(self, waited: float) -> None:
        if self._fleet.wanted == 0:  # it drains
            return
        before = self._course.wanted
        now = decide(self._bounds, self._course, Seen(clock(), waited, self._fleet.busy))
        if now.why:
            event(logger, "workers scaled", before=before, wanted=now.wanted, why=now.why)
        self._follow(now)

    def _follow(self, course: Course) -> int:
        self._course, self._fleet.wanted = course, course.wanted
        self._fleet.retire_idle()
        return course.wanted
