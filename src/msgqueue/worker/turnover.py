"""How many coroutines of a child end within a moment, so that others are claimed in time."""

from typing import Final

from msgqueue.worker.pace import MOST
from msgqueue.worker.shared import clock

SOON: Final = 0.03  # seconds
WINDOW: Final = 0.1  # seconds over which ends are counted


class Turnover:
    """Counts ends, and expects as many to come."""

    def __init__(self) -> None:
        self._since, self._count, self._rate = clock(), 0, 0.0

    def note(self, now: float) -> None:
        """One ended."""
        self._count += 1
        if now > self._since + WINDOW:
            self._rate = self._count / (now - self._since)
            self._since, self._count = now, 0

    def soon(self) -> int:
        """How many will end within SOON, going by the last WINDOW; MOST at most."""
        if not self._rate:
            return 0
        if clock() > self._since + 2 * WINDOW:
            self._rate = 0.0
        return min(MOST, int(self._rate * SOON))
