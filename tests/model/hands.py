"""A child and its supervisor played by hand: each call is made, lost, sent again or forgotten."""

from collections import deque
from typing import Any, Literal, NamedTuple

from tests.model.world import QUEUES, World

from msgqueue.jobs import Claimed, Kind, Outcome
from msgqueue.store import steps
from msgqueue.store.messages import Beat, Beaten, Ended, Entry, Lane, Worked, Worker
from msgqueue.store.steps import Step
from msgqueue.worker.exchange import BEGIN_WITHIN

#: What becomes of a call: its answer is read, or lost, or it is still under way.
Fate = Literal["answered", "lost", "late"]

COPIES_LAST = 60.0  # seconds that a copy of a call can be under way
VALUES = {
    "ok": b"1",
    "none": b"",
    "error": b"ValueError: no",
    "retry": b"2:0:0",
    "declined": b"UnknownTask: no",
}


class Copy(NamedTuple):
    """A call of which a second copy may still be under way."""

    sent: float
    step: Step[Any]


class Held(NamedTuple):
    """A job that may begin until `limit`."""

    job: Claimed
    limit: float


class Hand:
    """One lane. What it knows is what it was answered.

    Attributes:
        asked: the call whose answer it has not read.
        dead: whether the child's process is gone.
        settled: whether its account is.
    """

    def __init__(self, world: World, number: int) -> None:
        self._world, self._seq, self._sent_at = world, 0, 0.0
        self.lane = Lane(f"{number:012x}", f"hand.{number}")
        text = world.time.text
        self._worker = Worker(QUEUES, number, "here", "127.0.0.1", "0", "3", text)
        self.asked: Step[Worked] | None = None
        self.held: list[Held] = []
        self.running: Claimed | None = None
        self.ended: list[Outcome] = []
        self._reported: list[Outcome] = []
        self.dead = self.settled = False
        self.copies: deque[Copy] = deque(maxlen=8)
        self._call(steps.register(self.lane, self._worker, text))

    def _call(self, step: Step[Any]) -> Any:
        self.copies.append(Copy(self._world.time.clock(), step))
        return self._world.call(self.lane.worker, step)

    # The child

    def work(self, count: int, fate: Fate) -> None:
        """Report and claim, or send the last such call again."""
        if self.asked is None:
            self._seq += 1
            self._reported, self._sent_at = self.ended, self._world.time.clock()
            text, queues = self._world.time.text, QUEUES if count else ()
            self.asked = steps.work(self.lane, self._seq, self.ended, queues, count, text)
        if fate == "late":
            self.copies.append(Copy(self._world.time.clock(), self.asked))
            return
        worked: Worked = self._call(self.asked)
        if fate == "answered":
            self._hear(worked)

    def _hear(self, worked: Worked) -> None:
        if worked.state == "missing":  # the next beat registers it again
            return
        self.asked = None
        if worked.state:
            self.die()
            return
        self.ended = [one for one in self.ended if one not in self._reported]
        self.held += [Held(job, self._sent_at + BEGIN_WITHIN) for job in worked.claimed]

    def begin(self) -> None:
        """Call the function of the next job, if it still may begin."""
        if self._world.time.clock() < self.held[0].limit:
            self.running = self.held.pop(0).job
            self._world.ledger.began(self.running)

    def end(self, kind: Kind) -> None:
        """The function returns or raises."""
        job, self.running, wall = self.running, None, self._world.time.wall()
        if job is None:
            raise LookupError("nothing runs")
        self._world.ledger.ended(job, kind)
        value = VALUES[kind]
        self.ended.append(Outcome(job.queue, job.id, job.execution, kind, value, wall - 1, wall))

    def die(self) -> None:
        """kill -9."""
        self.dead = True
        if self.running is not None:
            self._world.ledger.died(self.running)

    # Its supervisor

    def beat(self) -> None:
        """Keep all leased, and do what the answer says."""
        held = [(one, _entry(one.job)) for one in self.held]
        sent_at = self._world.time.clock()
        rest = [_entry(one) for one in (self.running, *self.ended) if one is not None]
        entries = [entry for _, entry in held] + rest
        long = frozenset([_entry(self.running).member]) if self.running else frozenset()
        seq = self._seq - (self.asked is not None)
        beat = Beat(self.lane, self._worker, seq, entries, long)
        [beaten] = self._call(steps.beat([beat], self._world.time.text))
        if self.dead:
            return
        if beaten.closed:
            self.die()
            return
        kept = [Held(one.job, sent_at + BEGIN_WITHIN) for one, _ in held]
        self.held = [one for one in kept if _entry(one.job).member not in beaten.lost]
        self._obey(beaten)

    def _obey(self, beaten: Beaten) -> None:
        if self.running is not None and _entry(self.running).member in beaten.lost:
            self.die()
        elif self.running is not None and _entry(self.running).member in beaten.stop:
            self.die()
            self.settle("stop")
        if any(_entry(one.job).member in beaten.stop for one in self.held):
            self.release()

    def release(self) -> None:
        """Give back what did not begin, and report for it what ended."""
        entries, self.held = [_entry(one.job) for one in self.held], []
        outcomes = () if self.asked else tuple(self.ended)
        self.ended = [one for one in self.ended if one not in outcomes]
        text, worker = self._world.time.text, self.lane.worker
        self._call(steps.release(entries, text, outcomes, worker))

    def settle(self, cause: Any) -> None:
        """Close the account of the dead child."""
        wall, ended = self._world.time.wall(), []
        if self.running is not None:
            run = self.running
            ended = [Ended(run.queue, run.id, run.execution, cause, "WorkerDied", wall - 1, wall)]
        held = [_entry(one.job) for one in self.held]
        self._call(steps.settle(self.lane, self.ended, ended, held, self._world.time.text))
        self.settled = True


def _entry(job: Claimed | Outcome) -> Entry:
    return Entry(job.queue, job.id, job.execution)
