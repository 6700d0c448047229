"""How many jobs a child claims at once: as many as nobody can notice."""

from typing import Final

MOST: Final = 64  # a larger claim keeps Redis from others
SPAN: Final = 0.03  # seconds of work that one claim should hold
MEMORY: Final = 0.9  # how much of the old estimate a quicker job leaves


class Pace:
    """Learns how long jobs take. Starts at claims of 1 and at most doubles them.

    A slow job counts at once, quick ones little by little: a claim that is too large makes
    others wait, one that is too small costs a round trip.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._seconds = SPAN
        self._last = 0

    def note(self, seconds: float) -> None:
        """A job took so long."""
        if seconds < self._seconds:
            seconds += (self._seconds - seconds) * MEMORY
        self._seconds = seconds

    def next(self) -> int:
        """How many to claim."""
        self._last = max(1, min(self._most, 2 * self._last, int(SPAN / max(self._seconds, 1e-6))))
        return self._last
