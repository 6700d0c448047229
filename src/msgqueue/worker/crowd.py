"""Keeps many supervisors from asking at the same moment: all are woken by one change of a queue."""

import random
from typing import Final

from msgqueue.store import steps
from msgqueue.worker.calls import Calls

EVERY: Final = 30.0  # seconds between two looks at how many there are
FEW: Final = 10  # as many may ask at once
SPREAD: Final = 0.005  # seconds over which more than that are spread


class Crowd:
    """Knows how many supervisors there are.

    Args:
        calls: over which Redis is asked.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._many = False

    def look(self) -> None:
        """Count them."""
        self._calls.ask(steps.supervisors, self._heard)

    def _heard(self, count: int) -> None:
        self._many = count > FEW

    def pause(self) -> float:
        """Seconds to wait before children are woken; 0 among few."""
        return random.uniform(0, SPREAD) if self._many else 0.0  # noqa: S311 - spreads a crowd
