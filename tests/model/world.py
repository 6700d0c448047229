"""A whole run: Redis, its model, the wire, and those who act."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, TypeVar

import pytest
from tests.model import invariants
from tests.model.actors import Actor, Client
from tests.model.adopting import adopt
from tests.model.coroutines import Juggler
from tests.model.ledger import Ledger, Tale, ensure
from tests.model.model import REFUSED, Model
from tests.model.reading import essence
from tests.model.snapshot import parse
from tests.model.virtual import VirtualRedis, VirtualTime
from tests.model.wire import Call, Link, Wire
from tests.model.workers import Child, Plan, Port, Supervisor, Ward

from msgqueue.errors import RedisRefused
from msgqueue.jobs import Claimed, Enqueued, JobSpec
from msgqueue.store import codec, steps
from msgqueue.worker import (
    calls,
    child_jobs,
    exchange,
    fleet,
    heart,
    journal,
    process,
    upkeep,
    watch,
)
from msgqueue.worker.outfit import Outfit

R = TypeVar("R")

QUEUES: Final = ("high", "default")


def install(patch: pytest.MonkeyPatch, time: VirtualTime) -> None:
    """Let the worker's parts tell the time of the test, and use its wire and processes."""
    for module in (
        codec,
        calls,
        child_jobs,
        exchange,
        fleet,
        heart,
        journal,
        process,
        upkeep,
        watch,
    ):
        if hasattr(module, "clock"):
            patch.setattr(module, "clock", time.clock)
        if hasattr(module, "time"):
            patch.setattr(module, "time", SimpleNamespace(time=time.wall))
    numbers = count(1)
    for module in (process, upkeep):
        patch.setattr(
            module, "secrets", SimpleNamespace(token_hex=lambda n: f"{next(numbers):0{2 * n}x}")
        )
    patch.setattr(calls, "spread", lambda pause: 0.75 * pause)
    patch.setattr(calls, "Link", Link)
    patch.setattr(fleet, "ChildProcess", Ward)


class World:
    """One run.

    Args:
        redis: with an empty database.
        sent: is told of each call.
        foretelling: whether the model has to foretell every answer; else it follows the database,
            and the promises alone are judged, at every step.

    Attributes:
        wire: the calls under way.
        time: the clocks.
        actors: all that act, and some that are dead.
        story: what happened, a line each.
        lasting: keys that plain rq wrote for ever, and nobody of ours saw.
    """

    def __init__(
        self,
        redis: VirtualRedis,
        sent: Callable[[Call], None] | None = None,
        *,
        foretelling: bool = True,
    ) -> None:
        self._foretelling = foretelling
        self.redis, self.time = redis, redis.time
        self.model = Model()
        self.ledger = Ledger(self.model)
        self.wire = Wire(self._execute, sent)
        self.actors: list[Actor] = []
        self.story: list[str] = []
        self.supervisors: list[Supervisor] = []
        self.exempt: set[str] = set()
        self.damaged: set[str] = set()
        self.lasting: set[str] = set()
        self.deaf = False
        self.unsent: set[str] = set()  # whose calls do not reach Redis, for now
        self.unanswered: set[str] = set()  # whose answers do not come back, for now
        self.losing: dict[str, int] = {}  # whose next answers are lost, and how many
        self._numbers = count(1)

    # Who acts

    def client(self) -> Client:
        """A new process that calls steps."""
        name = f"client {next(self._numbers)}"
        client = Client(name, self.time.clock, Link(Port(name, self.wire)))
        self.enter(client)
        return client

    def supervisor(
        self,
        processes: int = 1,
        claim: int = 2,
        queues: tuple[str, ...] = QUEUES,
        concurrency: int = 1,
    ) -> Supervisor:
        """A new machine with a supervisor; its children come when it acts.

        Where `concurrency` is more than 1, their jobs are coroutines.
        """
        name = f"supervisor {next(self._numbers)}"
        supervisor = Supervisor(self, name, queues, processes, claim, concurrency)
        self.supervisors.append(supervisor)
        self.enter(supervisor)
        return supervisor

    def child(self, outfit: Outfit) -> Child:
        """A new child of a supervisor."""
        return (Juggler if outfit.terms.concurrency > 1 else Child)(self, outfit)

    def replace(self) -> None:
        """See to it that there is a supervisor that works."""
        if not any(one.alive and one.draining_at is None for one in self.supervisors):
            self.supervisor()

    def enter(self, actor: Actor) -> None:
        """An actor begins to act."""
        self.actors = [one for one in self.actors if one.alive] + [actor]

    @property
    def children(self) -> list[Child]:
        """The children whose process runs."""
        return [actor for actor in self.actors if isinstance(actor, Child) and actor.alive]

    # What they need

    def plan(self, job: Claimed) -> Plan:
        """What its run does: see `spec`."""
        seconds, kind, value = json.loads(job.data)[2]
        if kind == "declined":
            declines = job.declined < int(value)
            return Plan(0.0, kind, b"UnknownTask: no") if declines else Plan(seconds)
        return Plan(seconds, kind, value.encode())

    def began(self, child: Child, job: Claimed) -> None:
        """A child calls a job's function."""
        self.tell(f"{child.name} begins {job.id} ({job.execution})")
        self.ledger.began(job)

    def ended(self, child: Child, job: Claimed, kind: str) -> None:
        """A job's function ended."""
        self.tell(f"{child.name} ends {job.id} ({kind})")
        self.ledger.ended(job, kind)

    def died(self, child: Child) -> None:
        """A child's process is gone."""
        self.tell(f"{child.name} is dead")
        for job in child.runs:
            self.ledger.died(job)

    def has_work(self, queues: Sequence[str]) -> bool:
        """Whether anything waits in one of these: what tracking would have told."""
        return any(self.model.queues.get(queue) for queue in queues)

    def tell(self, what: str) -> None:
        """Note what happened."""
        self.story.append(f"{self.time.clock():9.3f} {what}")

    # Jobs

    def spec(
        self,
        job_id: str,
        *,
        seconds: float = 0.0,
        kind: str = "ok",
        value: str = "1",
        **changes: Any,
    ) -> JobSpec:
        """A job whose run takes so long and ends so; or is declined `value` times before."""
        base = JobSpec(
            id=job_id,
            task="sim",
            queue="default",
            data=json.dumps(["sim", None, [seconds, kind, value], {}]).encode(),
            description="",
            timeout=30,
            created_at=datetime.fromtimestamp(self.time.wall() + next(self._numbers) / 1e6, UTC),
        )
        return base._replace(**changes)

    def enqueue(self, client: Client, spec: JobSpec) -> None:
        """Have a job enqueued; once this is answered it is never to be lost."""

        def answered(answers: tuple[Enqueued, ...] | None) -> None:
            for answer in answers or ():
                self.ledger.acknowledged.add(answer.id)

        client.tell(steps.enqueue([spec]), answered)

    # What happens

    def _execute(self, call: Call) -> Any:
        step = call.step
        self._tick()
        foretold = (
            self.model.apply(step.script.name, step.keys, step.args) if self._foretelling else None
        )
        try:
            answer = self.redis.run(step)
        except RedisRefused as error:
            self.tell(f"redis: {call}: {error}")
            ensure(foretold in (None, REFUSED), f"{call} was refused: {error}")
            raise
        found = essence(answer)
        self.tell(f"redis: {call}{'' if call.link else ' (stray)'}: {found}")
        if foretold is not None:
            ensure(found == foretold, f"{call} was answered {found}, foretold {foretold}")
        if not self._foretelling:
            adopt(self.model, parse(self.redis.snapshot()))
            self.check()
        self.ledger.executed(step, found)
        if step.script.name == "cancel" and found[1]:
            self._publish(str(step.args[0]))
        return answer

    def call(self, sender: str, step: steps.Step[R]) -> R | None:
        """Have a step carried out at once, for somebody who is no actor; None if it is refused."""
        try:
            answer: R = self._execute(Call(next(self._numbers), sender, step, None))
        except RedisRefused:
            return None
        return answer

    def _publish(self, job_id: str) -> None:
        """rq's stop-job command reaches the supervisor, unless the test keeps it."""
        lane = self.model.jobs[job_id].stop.partition(".")[0]
        for supervisor in self.supervisors:
            mine = any(ward.lane.id == lane for ward in supervisor.wards)
            if mine and supervisor.alive and not self.deaf:
                supervisor.inbox.append(job_id)

    def execute(self, call: Call) -> None:
        """Redis carries a call out, if it still is under way."""
        if call in self.wire.calls and self.wire.up:
            self.wire.execute(call)

    def answer(self, call: Call) -> None:
        """The answer of a call comes back, if it still is under way."""
        if call in self.wire.calls:
            self.wire.answer(call)

    def advance(self, seconds: float) -> None:
        """Time goes on."""
        self.time.passed += math.ceil(round(seconds * 1000, 6))
        self._tick()

    def _tick(self) -> None:
        if self.model.tick(self.time.redis_ms) or not self._foretelling:
            self.redis.tick()  # what only follows does not know all that expires

    def jump(self, seconds: float) -> None:
        """The clock of Redis's machine is set."""
        self.tell(f"redis: the clock jumps by {seconds} s")
        self.ledger.lossy = True
        self.time.skew += round(seconds * 1000)
        self._tick()

    def kill_machine(self, supervisor: Supervisor) -> None:
        """A machine is gone with all its processes."""
        self.tell(f"{supervisor.name} and its machine are dead")
        children = [ward.child for ward in supervisor.wards]
        supervisor.die()
        for child in children:
            child.die()

    def freeze(self, supervisor: Supervisor, *, thaw: bool = False) -> None:
        """A machine stands still, or goes on."""
        self.tell(f"{supervisor.name} and its machine {'go on' if thaw else 'stand still'}")
        for actor in (supervisor, *(ward.child for ward in supervisor.wards)):
            actor.frozen = not thaw

    def tale(self, job_id: str) -> Tale:
        """What the outside has seen of a job."""
        tale = self.ledger.tale(job_id)
        if tale is None:
            raise LookupError(job_id)
        return tale

    def check(self) -> None:
        """All invariants, right now."""
        self.redis.tick()
        snapshot, exempt = parse(self.redis.snapshot()), frozenset(self.exempt)
        invariants.check(snapshot, self.model, exempt)
        if self._foretelling:
            invariants.compare(snapshot, self.model)

    # Going on without faults

    def settle(self, seconds: float = 0.0) -> None:
        """Let everybody act in turn, and every call be answered, for so long."""
        until = self.time.clock() + seconds
        while True:
            self.rest()
            moments = [a.wish.at for a in self.actors if a.alive and not a.frozen]
            following = min([at for at in moments if at > self.time.clock()], default=until)
            if following > until or self.time.clock() >= until:
                self.advance(max(0.0, until - self.time.clock()))
                self.rest()
                return
            self.advance(max(0.001, following - self.time.clock()))

    def rest(self) -> None:
        """Let everybody act, and every call be answered, until nobody can without time passing."""
        for _ in range(10_000):
            moved = [call for call in self.wire.calls if self._move(call)]
            ready = [actor for actor in self.actors if actor.ready]
            for actor in ready:
                if actor.ready:
                    actor.resume()
            if not ready and not moved:
                return
        raise AssertionError("they never come to rest: \n" + "\n".join(self.story[-40:]))

    def _move(self, call: Call) -> bool:
        """Carry a call on by one stage, unless something holds it."""
        if not call.done:
            free = call.sender not in self.unsent
            if free:
                self.wire.execute(call)
            return free
        if call.sender in self.unanswered:
            return False
        if self.losing.get(call.sender, 0) > 0:
            self.losing[call.sender] -= 1
            self.wire.cut(call)
        else:
            self.wire.answer(call)
        return True

    def fail_over(self, saved: "Saved") -> None:
        """What Redis wrote since then is lost."""
        self.tell("redis: what it wrote last is lost")
        self.ledger.lossy = True
        self.redis.restore(saved.keys)
        self.model.restore(saved.model)
        self.model.tick(self.time.redis_ms)

    def save(self) -> "Saved":
        """The state to which a `fail_over` may go back."""
        return Saved(self.redis.save(), self.model.saved())

    def outage(self, *, over: bool = False) -> None:
        """Redis is away, with all connections, or back."""
        self.tell(f"redis is {'back' if over else 'away'}")
        self.wire.up = over
        for call in list(self.wire.calls):
            self.wire.cut(call)


class Saved(NamedTuple):
    """All that Redis held, and what the model said of it."""

    keys: list[Any]
    model: dict[str, Any]
