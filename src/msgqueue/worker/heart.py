"""The beat: one step that keeps all children registered and their jobs leased."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from msgqueue.observe.logs import event
from msgqueue.store import keys, steps
from msgqueue.store.codec import now_text
from msgqueue.store.messages import Beat, Beaten
from msgqueue.worker.account import Record
from msgqueue.worker.calls import Calls
from msgqueue.worker.exchange import BEGIN_WITHIN
from msgqueue.worker.journal import ASYNC, State
from msgqueue.worker.process import ChildProcess
from msgqueue.worker.shared import clock

EVERY: Final = 2.0  # seconds
APART: Final = 0.2  # seconds at least between two beats

logger = logging.getLogger(__name__)


class Heart:
    """Sends beats, and acts on what they answer.

    Args:
        calls: over which they go.
        children: all that live, and all dead ones that are not settled.
        stop: called with a run's member that somebody asked to stop.
    """

    def __init__(
        self,
        calls: Calls,
        children: Callable[[], Iterable[ChildProcess]],
        stop: Callable[[str], None],
    ) -> None:
        self._calls, self._children, self._stop = calls, children, stop
        self._under_way = False
        self._sent_at = 0.0
        self._named: list[tuple[ChildProcess, list[Record]]] = []
        self._shown: frozenset[str] = frozenset()

    @property
    def behind(self) -> bool:
        """Whether a job has run for so long that rq's views should show it, and do not yet."""
        if clock() < self._sent_at + APART:
            return False
        return not all(child.jobs.long_runs() <= self._shown for child in self._children())

    def beat(self) -> None:
        """Send a beat, unless one is under way."""
        if not self._under_way and any(True for _ in self._children()):
            self._under_way = True
            self._calls.ask(self._make, self._heard)

    def _make(self) -> steps.Step[tuple[Beaten, ...]]:
        self._named.clear()
        self._sent_at = clock()
        beats: list[Beat] = []
        for child in self._children():
            beat, records = child.beat()
            beats.append(beat)
            self._named.append((child, records))
        self._shown = frozenset().union(*(beat.running for beat in beats))
        return steps.beat(beats, now_text())

    def _heard(self, answers: tuple[Beaten, ...]) -> None:
        self._under_way = False
        for (child, records), beaten in zip(self._named, answers, strict=True):
            if beaten.replaced:
                _tell_of_replaced(child)
            if child.exit is not None:
                continue
            if beaten.closed:  # declared dead: what it holds belongs to others
                child.jobs.revoke()
                child.jobs.returned(list(child.jobs.returning.values()))
                child.end()
                continue
            kept = [record for record in records if record.member not in beaten.lost]
            child.jobs.confirm(kept, self._sent_at + BEGIN_WITHIN)
            spared = beaten.dropped if child.lets_end else frozenset()
            lost = [record for record in records if record.member in beaten.lost]
            self._lose(child, [r for r in lost if r.state is State.HELD or r.member not in spared])
            for member in beaten.stop:
                self._stop(member)

    def _lose(self, child: ChildProcess, lost: list[Record]) -> None:
        """These were taken over: never begin them, end the running ones, name them no more."""
        child.jobs.returned(child.jobs.revoke(record.member for record in lost))
        for record in lost:
            if record.state is State.RUNNING and record.lane == ASYNC:
                child.jobs.stop_coroutine(record)
            elif record.state is State.RUNNING:
                child.kill(record, "death", "WorkerDied: the job was taken over by another worker")


def _tell_of_replaced(child: ChildProcess) -> None:
    key = keys.worker(child.lane.worker)
    event(logger, "worker key of another type replaced", level=logging.WARNING, key=key)
