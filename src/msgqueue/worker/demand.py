"""What a child claims next: from which queues, and how many jobs in all."""

import sys
from collections.abc import Sequence
from typing import Final

from msgqueue.worker.order import order_of
from msgqueue.worker.terms import Terms

ANY: Final = sys.maxsize  # number of jobs
SET_ASIDE: Final = 1.0  # seconds for which a queue is not claimed from for a lane that is full


class Demand:
    """Goes by the order of the queues, by which lane has room, and by how many jobs may come."""

    def __init__(self, terms: Terms) -> None:
        self._order = order_of(terms.queues, terms.weights, terms.order)
        self._retires = terms.max_jobs is not None
        self._left = min(most for most in (terms.jobs, terms.max_jobs, ANY) if most is not None)
        self._full: dict[tuple[str, bool], float] = {}  # (queue, is async) -> set aside until

    @property
    def over(self) -> bool:
        """Whether it has claimed as many jobs as one child is to run."""
        return self._left <= 0 and self._retires

    def queues(self, now: float, *, for_async: bool) -> list[str]:
        """Whom to claim from for a lane, the first one first; not what fills up the other lane."""
        return [q for q in self._order.queues() if self._full.get((q, not for_async), 0) <= now]

    def set_aside(self, queue: str, now: float, *, is_async: bool) -> None:
        """A queue has given a job to a lane that has no room."""
        self._full[queue, is_async] = now + SET_ASIDE

    def limited(self, count: int) -> int:
        """So many jobs, or as many as may still come."""
        return min(count, self._left)

    def note(self, asked: Sequence[str], came: Sequence[str]) -> None:
        """A claim asked these queues in this order and brought a job of each of those."""
        self._order.note(asked, came)

    def handed_out(self, count: int) -> None:
        """So many jobs have come."""
        self._left -= count
