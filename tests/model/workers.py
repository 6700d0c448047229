"""Children and supervisors as actors: the product's own parts, in played processes."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, NamedTuple, Protocol, cast

from tests.model.actors import Actor, Life, Wish
from tests.model.virtual import VirtualTime
from tests.model.wire import Link, Wire

from msgqueue.errors import RedisUnavailable
from msgqueue.jobs import Claimed, Outcome
from msgqueue.queue import TaskQueue
from msgqueue.store import steps
from msgqueue.store.messages import Entry, Worked
from msgqueue.store.signals import Wakeup
from msgqueue.worker import heart, watch
from msgqueue.worker.calls import Calls
from msgqueue.worker.child import DOUBT
from msgqueue.worker.exchange import BEGIN_WITHIN, Exchange, Held
from msgqueue.worker.exits import Exit
from msgqueue.worker.fleet import Fleet
from msgqueue.worker.heart import Heart
from msgqueue.worker.identity import Identity
from msgqueue.worker.journal import SYNC, Begin, JournalWriter
from msgqueue.worker.lifeline import AFTERWARDS
from msgqueue.worker.limits import SupervisorLost
from msgqueue.worker.loop import LOOK_EVERY
from msgqueue.worker.outfit import Outfit
from msgqueue.worker.process import ChildProcess
from msgqueue.worker.shared import Context
from msgqueue.worker.terms import Terms
from msgqueue.worker.upkeep import Upkeep

BRISK = 0.3  # seconds after waking a child in which a supervisor looks as often as the product's
PATIENCE = 5.0  # seconds that a child waits for an answer


class Plan(NamedTuple):
    """What a run of a job does: it takes so long, and ends so."""

    seconds: float
    kind: Any = "ok"
    value: bytes = b"1"


class Stage(Protocol):
    """Where actors act: what they need of the run that they are part of."""

    wire: Wire
    time: VirtualTime

    def enter(self, actor: Actor) -> None: ...
    def child(self, outfit: Outfit) -> "Child": ...
    def plan(self, job: Claimed) -> Plan: ...
    def began(self, child: "Child", job: Claimed) -> None: ...
    def ended(self, child: "Child", job: Claimed, kind: str) -> None: ...
    def died(self, child: "Child") -> None: ...
    def has_work(self, queues: Sequence[str]) -> bool: ...


class Port(NamedTuple):
    """Where an actor's links are plugged in."""

    name: str
    wire: Wire


class Lock:
    """A lock between two sides that never act at the same time."""

    def __init__(self) -> None:
        self.taken = False

    def acquire(self, timeout: float = 0) -> bool:  # noqa: ARG002 - multiprocessing's name
        """Take it if it is free."""
        free, self.taken = not self.taken, True
        return free

    def release(self) -> None:
        """Give it back."""
        self.taken = False

    def __enter__(self) -> None:
        if not self.acquire():
            raise AssertionError("somebody waits for a lock that is never given back")

    def __exit__(self, *_: object) -> None:
        self.release()


class Pipe:
    """The end of a pipe that nobody reads."""

    def fileno(self) -> int:
        """No real one."""
        return -1

    def close(self) -> None:
        """Nothing to close."""


class Child(Actor):
    """What `worker.child.Child` does, without a process: claims, runs, reports.

    Attributes:
        woken: whether its doorbell has rung.
        idle: whether it rests.
        lost_at: when its supervisor died.
        running: the job it is at.
    """

    def __init__(self, stage: Stage, outfit: Outfit) -> None:
        super().__init__(f"child {outfit.lane.id}", stage.time.clock)
        self._stage, self.outfit = stage, outfit
        self._link = Link(Port(self.name, stage.wire))
        self._journal = JournalWriter(outfit.journal)
        never = cast("Any", None)  # its own link: the calls go over the wire
        self._exchange = Exchange(never, outfit.lane, self._journal, self.persist)
        self._jobs: deque[Held] = deque()
        self.woken = self.idle = False
        self.lost_at: float | None = None
        self.running: Claimed | None = None

    @property
    def runs(self) -> list[Claimed]:
        """The jobs that it is at."""
        return [self.running] if self.running is not None else []

    def persist(self, _seconds: float, _owing: bool) -> bool:
        """Nothing is tried twice here: whether it is sent again is the world's choice."""
        return not self.over()

    def over(self) -> bool:
        """Whether it has been without a supervisor for too long to go on trying."""
        return self.lost_at is not None and self.clock() > self.lost_at + BEGIN_WITHIN + AFTERWARDS

    def die(self) -> None:
        """The process is gone."""
        if self.alive:
            super().die()
            self._link.close()
            self._stage.died(self)

    def life(self) -> Life[None]:
        """The loop of a child."""
        with suppress(SupervisorLost):
            yield Wish(lambda: self.woken or self.lost_at is not None)
            while not self._journal.draining and self.lost_at is None:
                if self._jobs:
                    yield from self._step(self._jobs.popleft())
                elif not (yield from self._call(self.outfit.terms.queues, self.outfit.terms.claim)):
                    yield from self._rest()
            if self._exchange.pending:
                yield from self._call((), 0)

    def _rest(self) -> Life[None]:
        if not self._exchange.pending:
            self.idle, self.woken = True, False
            yield Wish(lambda: self.woken or self.lost_at is not None)
            self.idle = False

    def _call(self, queues: Sequence[str], count: int) -> Life[int]:
        talk = self._exchange.talk(queues, count)
        step = next(talk)
        while True:
            with suppress(RedisUnavailable):
                worked = yield from self._ask(step)
                if not worked.state:
                    break
                if worked.state != "missing":
                    raise SupervisorLost
            if self.over():
                raise SupervisorLost
            yield from self._until(lambda: False, self.clock() + 0.05)
        try:
            talk.send(worked)
        except StopIteration as end:
            held: list[Held] = end.value
            self._jobs.extend(held)
            return len(held)
        raise AssertionError("a talk is one step")

    def _ask(self, step: steps.Step[Worked]) -> Life[Worked]:
        self._link.send(step)
        yield from self._until(lambda: self._link.ready, self.clock() + PATIENCE)
        if not self._link.ready:
            self._link.close()
        worked: Worked = self._link.receive(step)
        return worked

    def _until(self, met: Callable[[], bool], at: float) -> Life[None]:
        yield Wish(met, at)

    def _step(self, held: Held) -> Life[None]:
        if self._exchange.due(self.clock()):
            yield from self._call((), 0)
        slot, job = held
        now = self.clock()
        begin = self._journal.begin(slot, job.timeout, now, self._stage.time.wall(), SYNC)
        if begin is Begin.REVOKED:
            self._journal.free((slot,))
        elif begin is Begin.LATE:
            self._jobs.appendleft(held)
            yield self.wait(DOUBT)
        else:
            yield from self._run(held)

    def _run(self, held: Held) -> Life[None]:
        slot, job = held
        started = self._stage.time.wall()
        self.running = job
        self._stage.began(self, job)
        plan = self._stage.plan(job)
        ends_at = self.clock() + plan.seconds
        while self.clock() < ends_at:
            yield Wish(lambda: self.lost_at is not None, ends_at)
            if self.lost_at is not None:
                if ends_at > self.lost_at + BEGIN_WITHIN:
                    yield Wish(lambda: False, self.lost_at + BEGIN_WITHIN)
                    raise SupervisorLost
                yield Wish(lambda: False, ends_at)
        self.running = None
        times = started, self._stage.time.wall()
        outcome = Outcome(job.queue, job.id, job.execution, plan.kind, plan.value, *times)
        self._exchange.add(slot, outcome, self.clock())
        self._stage.ended(self, job, plan.kind)


class Process:
    """Stands where `multiprocessing.Process` does."""

    def __init__(self, stage: Stage, outfit: Outfit) -> None:
        self._stage = stage
        self.child = stage.child(outfit)
        self.pid = 0

    def start(self) -> None:
        """The child begins to act."""
        self._stage.enter(self.child)

    def close(self) -> None:
        """Nothing to close."""


class Played:
    """Stands where multiprocessing's context does."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def get_start_method(self) -> str:
        """Its memory needs no name."""
        return "fork"

    def Lock(self) -> Lock:
        """See `Lock`."""
        return Lock()

    def Pipe(self, **_: bool) -> tuple[Pipe, Pipe]:
        """See `Pipe`."""
        return Pipe(), Pipe()


class Ward(ChildProcess):
    """A ChildProcess whose process is played: what touches the operating system is overridden."""

    def _process_of(self, context: Any, _queue: object, outfit: Outfit, _forget: object) -> Any:
        return Process(context.stage, outfit)

    @property
    def child(self) -> Child:
        """The played process."""
        process: Any = self._process
        return process.child  # type: ignore[no-any-return]  # a cast costs too much here

    def wake(self) -> None:
        """Ring the doorbell."""
        self.bell.idle = self.bell.half_idle = False
        self.child.woken = True

    def end(self) -> None:
        """Kill it."""
        self._killed = self.retired = True
        self.child.die()

    def hear(self) -> None:
        """Look whether it rests."""
        self.bell.idle = self.child.idle and not self.child.woken

    def reap(self) -> bool:
        """Look whether it has ended."""
        self.hear()
        if self.exit is None and not self.child.alive:
            self.exit = Exit(-9, None)
        return self.exit is not None


class Deaf:
    """Stands where `Wakeup` does; the stage brings messages."""

    def listen(self, worker: str) -> None:
        """Heard anyway."""

    def unlisten(self, worker: str) -> None:
        """Ignored anyway."""


@cache
def _identity() -> Identity:
    """One for all: to ask for rq's version costs milliseconds."""
    return Identity()


class Supervisor(Actor):
    """What `worker.loop.Loop` does, without signals and sockets.

    Attributes:
        fleet: its children.
        inbox: ids of jobs that rq's stop-job command named.
    """

    def __init__(
        self,
        stage: Stage,
        name: str,
        queues: tuple[str, ...],
        processes: int,
        claim: int,
        concurrency: int,
    ) -> None:
        super().__init__(name, stage.time.clock)
        self._stage, self._queues = stage, queues
        port: Any = Port(name, stage.wire)
        self._calls, self._upkeep_calls = Calls(port), Calls(port)
        self._links = [cast("Link", calls._link) for calls in (self._calls, self._upkeep_calls)]
        context = cast("Context", Played(stage))
        self.fleet = Fleet(
            context,
            cast("TaskQueue", None),
            Terms(queues, claim, concurrency),
            _identity(),
            self._calls,
            cast("Wakeup", Deaf()),
            lambda: None,
        )
        self.fleet.wanted = processes
        self._heart = Heart(self._calls, lambda: self.fleet.children, self.fleet.stop)
        self.upkeep = Upkeep(self._upkeep_calls, queues, name)
        self.inbox: deque[str] = deque()
        self._beat_at = self._look_at = self._brisk_until = 0.0
        self.draining_at: float | None = None

    @property
    def wards(self) -> list[Ward]:
        """Its children, living or not settled."""
        wards: Any = self.fleet.children
        return wards  # type: ignore[no-any-return]  # a cast costs too much here

    def die(self) -> None:
        """The process is gone; its children notice."""
        if self.alive:
            super().die()
            for calls in (self._calls, self._upkeep_calls):
                calls.close()
            for ward in self.wards:
                ward.child.lost_at = self.clock()

    def drain(self) -> None:
        """SIGTERM."""
        if self.draining_at is None:
            self.draining_at = self.clock()
            self.upkeep.leave()
            self.fleet.drain()
            self._look_at = 0.0

    def life(self) -> Life[None]:
        """The loop of a supervisor."""
        while not self._over():
            self._hear()
            self._do_what_is_due()
            yield Wish(self._heard, self._wants_at())

    def _over(self) -> bool:
        return self.draining_at is not None and not self.fleet.children

    def _heard(self) -> bool:
        if any(link.ready for link in self._links) or self.inbox:
            return True
        return self._someone_died() or (self._can_wake() and self._stage.has_work(self._queues))

    def _someone_died(self) -> bool:
        return any(ward.exit is None and not ward.child.alive for ward in self.wards)

    def _can_wake(self) -> bool:
        return any(w.child.idle and not w.child.woken and w.child.alive for w in self.wards)

    def _wants_at(self) -> float:
        return min(
            self._beat_at,
            self._look_at,
            self.fleet.wants_at,
            self._calls.wants_at,
            self._upkeep_calls.wants_at,
            self.upkeep.wants_at,
        )

    def _hear(self) -> None:
        for calls, link in zip((self._calls, self._upkeep_calls), self._links, strict=True):
            if link.ready:
                calls.receive()
        while self.inbox:
            job_id = self.inbox.popleft()
            self._calls.ask(partial(steps.stop, job_id), self._stop)
        if self._someone_died():
            self._look_at = 0.0

    def _stop(self, entry: Entry | None) -> None:
        if entry is not None:
            self.fleet.stop(entry.member)

    def _do_what_is_due(self) -> None:
        self.fleet.fill()
        if self.clock() >= self._beat_at:
            self._beat_at = self.clock() + heart.EVERY
            self._heart.beat()
        if self.clock() >= self._look_at:
            self._look()
        if self._can_wake() and self._stage.has_work(self._queues):
            for ward in self.wards:
                ward.hear()
            self.fleet.wake(1)
            self._look_at = min(self._look_at, self.clock() + watch.EVERY)
            self._brisk_until = self.clock() + BRISK
        for calls in (self._calls, self._upkeep_calls):
            calls.go()
        self.upkeep.go()

    def _look(self) -> None:
        self.fleet.reap()
        self.fleet.look()
        brisk = self.clock() < self._brisk_until
        self._look_at = self.clock() + (watch.EVERY if brisk else LOOK_EVERY / 2)
        grace = 2.0
        if self.draining_at is not None and self.clock() > self.draining_at + grace:
            self.fleet.end()
