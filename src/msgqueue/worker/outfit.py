"""What a child is given by its supervisor."""

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from msgqueue.store.messages import Lane
from msgqueue.worker.exits import Death
from msgqueue.worker.journal import Journal
from msgqueue.worker.terms import Terms


@dataclass(frozen=True, slots=True)
class Outfit:
    """Handed on at the fork, or pickled for a child that is spawned.

    Attributes:
        lane: its lane, and its name as an rq worker.
        terms: how it works.
        journal: shared with the supervisor.
        wake: the child's end of its doorbell.
        lifeline: nothing ever comes; it ends when the supervisor does.
        deaths: runs that died with the child before it.
    """

    lane: Lane
    terms: Terms
    journal: Journal
    wake: Connection
    lifeline: Connection
    deaths: Sequence[Death] = ()
