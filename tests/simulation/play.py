"""One run of a seed: everybody acts, things go wrong, all comes to rest, and is judged."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Any, Final

from tests.model.actors import Actor, Client
from tests.model.invariants import left_over
from tests.model.ledger import ensure
from tests.model.snapshot import parse
from tests.model.virtual import VirtualRedis
from tests.model.wire import Call
from tests.model.workers import Child, Supervisor
from tests.model.world import QUEUES, Saved, World
from tests.simulation.judge import Crew, Judge
from tests.simulation.plan import Deed, Fate, Job, Plan
from tests.simulation.tally import Tally

from msgqueue.jobs import Claimed, JobSpec, Retry
from msgqueue.store import steps

PATIENCE: Final = 400.0  # seconds in which all must have ended, once nothing goes wrong any more
YEARS: Final = 100_000_000.0  # seconds after which nothing is to be left
CALM: Final = Fate("", 0, 0, 0, whole=False)


class Play(World):
    """A world whose scheduler decides by a plan.

    Args:
        redis: with an empty database.
        plan: what is chosen.
        seed: orders what happens at the same moment.
        foretelling: see `World`.

    Attributes:
        misfortunes: names of what went wrong, in order.
    """

    def __init__(
        self, redis: VirtualRedis, plan: Plan, seed: int, *, foretelling: bool = True
    ) -> None:
        super().__init__(redis, self._sent, foretelling=foretelling)
        self._plan, self._order = plan, random.Random(~seed)
        self._agenda: list[tuple[int, float, int, Callable[[], None]]] = []
        self._noted = 0
        self._calm_since: float | None = None
        self._leaving = False
        self._acting: Actor | None = None
        self._cut_off: dict[str, int] = {}  # name: until when, in milliseconds
        self._specs: dict[str, JobSpec] = {}
        self._deleted: set[str] = set()
        self._saved: Saved | None = None
        self._judge = Judge()
        self.misfortunes: list[str] = []
        self.tally = Tally(seeds=1)
        self._clients = [self.client() for _ in range(plan.clients)]
        for processes, claim in plan.machines:
            self.supervisor(processes, claim)
        for deed in plan.deeds:
            self._at(deed.at, partial(self._do, deed))

    def play(self) -> Tally:
        """From the beginning to the end.

        Raises:
            Broken: a promise was.
        """
        self._go(self._plan.until)
        self._calm()
        self.check()
        self._come_to_rest()
        self.check()
        self.ledger.check_end(())
        self._check_that_none_is_lost()
        self._leave()
        self._check_that_nothing_is_left()
        self.tally.calls = self.wire.count
        self.tally.count(self.ledger, self._specs)
        return self.tally

    # The scheduler

    def _at(self, ms: int, action: Callable[[], None]) -> None:
        self._noted += 1
        heappush(self._agenda, (ms, self._order.random(), self._noted, action))

    def _in(self, ms: int, action: Callable[[], None]) -> None:
        self._at(self.time.passed + ms, action)

    def _go(self, until: int) -> None:
        """Let everything happen, in some order, up to this moment."""
        while True:
            moves = self._moves()
            self._order.shuffle(moves)
            for move in moves:
                move()
            if moves:
                continue
            following = self._following()
            if following > until:
                self.advance((until - self.time.passed) / 1000)
                return
            self.advance((following - self.time.passed) / 1000)

    def _moves(self) -> list[Callable[[], None]]:
        moves: list[Callable[[], None]] = [
            partial(self._resume, actor) for actor in self.actors if actor.ready
        ]
        while self._agenda and self._agenda[0][0] <= self.time.passed:
            moves.append(heappop(self._agenda)[3])
        return moves

    def _resume(self, actor: Actor) -> None:
        if actor.ready:  # something may have happened to it meanwhile
            self._acting = actor
            actor.resume()

    def _following(self) -> float:
        wishes = [a.wish.at for a in self.actors if a.alive and not a.frozen]
        soonest = min(wishes, default=float("inf")) * 1000
        at = max(self.time.passed + 1.0, soonest // 1 if soonest < 1e15 else soonest)
        return min(at, self._agenda[0][0]) if self._agenda else at

    # What becomes of calls

    def _sent(self, call: Call) -> None:
        fate = CALM if self._calm_since is not None else self._plan.fate(call.number)
        if fate.mishap:
            self._note(f"c{call.number}", f"{call}: {fate.mishap}")
            self._judge.trouble(call.sender, self.time.clock())
        there, back = fate.there, fate.back
        if fate.mishap == "slow":
            there, back = (there + fate.later, back) if fate.whole else (there, back + fate.later)
        if there == back == 0 and not fate.mishap:
            self._in(0, partial(self._arrive, call, CALM))
        else:
            self._in(there, partial(self._arrive, call, fate._replace(back=back)))

    def _arrive(self, call: Call, fate: Fate) -> None:
        """A call reaches Redis, or does not."""
        if call not in self.wire.calls:
            return
        held = self._cut_off.get(call.sender, 0)
        if held > self.time.passed and self._calm_since is None:
            self._judge.trouble(call.sender, self.time.clock())
            self._at(held, partial(self._arrive, call, fate))
        elif fate.mishap == "lost":
            self.wire.cut(call)
        elif fate.mishap == "stray":
            self.wire.cut(call, stray=True)
            self._in(fate.later, partial(self.execute, call))
        else:
            self._carry_out(call, fate)

    def _carry_out(self, call: Call, fate: Fate) -> None:
        if fate.mishap == "killed before":
            self._kill_sender(call, whole=fate.whole)
            self._in(fate.later, partial(self.execute, call))
            return
        if fate.mishap == "copied":
            self._in(fate.later, partial(self.execute, self.wire.copy(call)))
        self.execute(call)
        if not call.done or call not in self.wire.calls:
            return
        if fate.mishap in ("killed after", "machine killed after"):
            self._kill_sender(call, whole=fate.mishap == "machine killed after")
        elif fate.mishap == "unanswered":
            self.wire.cut(call)
        elif fate.back:
            self._in(fate.back, partial(self._answer, call, fate))
        else:
            self._answer(call, fate)

    def _answer(self, call: Call, fate: Fate) -> None:
        self.answer(call)
        crew = self._crew(call.sender)
        if fate.mishap == "frozen" and crew is not None:
            self._freeze(crew, fate.later, whole=fate.whole)

    def _kill_sender(self, call: Call, *, whole: bool) -> None:
        crew = self._crew(call.sender)
        if crew is None:
            self.wire.cut(call, stray=True)  # a client: somebody else does the same once more
        else:
            self._kill(crew, whole=whole)

    def _crew(self, name: str) -> list[Actor] | None:
        """An actor of this name, and all that are on its machine; None for a client."""
        for actor in self.actors:
            if actor.name == name and isinstance(actor, Child):
                return [actor, *self._machine(self._judge.crews[actor.outfit.lane.id].supervisor)]
            if actor.name == name and isinstance(actor, Supervisor):
                return [actor, *self._machine(actor)]
        return None

    def _machine(self, supervisor: Supervisor) -> list[Actor]:
        crews = self._judge.crews.values()
        return [supervisor, *(crew.child for crew in crews if crew.supervisor is supervisor)]

    # What is done

    def _do(self, deed: Deed) -> None:
        if deed.job is not None:
            self._ask(deed, deed.job)
        elif self._calm_since is None:
            self._note(deed.name, deed.kind)
            getattr(self, f"_{deed.kind.replace(' ', '_')}")(deed)

    def _note(self, name: str, what: str) -> None:
        self.misfortunes.append(name)
        self.tally.misfortunes += 1
        self.tell(f"! {name}: {what}")

    def _ask(self, deed: Deed, job: Job) -> None:
        client = self._clients[deed.lot % len(self._clients)]
        now_text = self.time.text
        self.tell(f"{client.name} is to {deed.kind} {job.id}")
        if deed.kind == "enqueue":
            self._enqueue(client, deed, job)
        elif deed.kind == "cancel":
            client.tell(steps.cancel(job.id, now_text), _heard)
        elif deed.kind == "requeue":
            client.tell(steps.requeue(job.id, now_text), _heard)
        else:
            self._deleted.add(job.id)
            client.tell(steps.delete(job.id, now_text), _heard)

    def _enqueue(self, client: Client, deed: Deed, job: Job) -> None:
        changes: dict[str, Any] = dict(job.options)
        if "due" in changes:
            changes["due"] += self.time.wall()
        if "retry" in changes:
            changes["retry"] = Retry(*changes["retry"])
        kind = "ok" if job.kind.startswith("poison") else job.kind
        poison = job.kind if kind != job.kind else ""
        spec = self.spec(job.id, seconds=job.seconds, kind=kind, value=job.value, **changes)
        spec = spec._replace(description=poison)
        self._specs.setdefault(job.id, spec)
        if deed.lot % 3 == 0:  # the very same call, when it is not the first one
            spec = self._specs[job.id]
        self.enqueue(client, spec)

    def _pick(self, kind: type[Actor], deed: Deed) -> list[Actor]:
        living = [actor for actor in self.actors if actor.alive and isinstance(actor, kind)]
        crew = self._crew(living[deed.lot % len(living)].name) if living else None
        return crew or []

    def _kill_a_child(self, deed: Deed) -> None:
        self._kill(self._pick(Child, deed), whole=False)

    def _kill_a_supervisor(self, deed: Deed) -> None:
        self._kill(self._pick(Supervisor, deed), whole=False)

    def _kill_a_machine(self, deed: Deed) -> None:
        self._kill(self._pick(Supervisor, deed), whole=True)

    def _kill(self, crew: Sequence[Actor], *, whole: bool) -> None:
        for actor in crew if whole else crew[:1]:
            if actor.alive:
                self.tally.crashes += 1
                self.tell(f"{actor.name} is killed")
                actor.die()
        self._in(self._order.randint(100, 6_000), self.replace)

    def _freeze_a_child(self, deed: Deed) -> None:
        self._freeze(self._pick(Child, deed), round(deed.seconds * 1000), whole=False)

    def _freeze_a_supervisor(self, deed: Deed) -> None:
        self._freeze(self._pick(Supervisor, deed), round(deed.seconds * 1000), whole=False)

    def _freeze_a_machine(self, deed: Deed) -> None:
        self._freeze(self._pick(Supervisor, deed), round(deed.seconds * 1000), whole=True)

    def _freeze(self, crew: Sequence[Actor], ms: int, *, whole: bool) -> None:
        for actor in crew if whole else crew[:1]:
            self.tell(f"{actor.name} stands still")
            actor.frozen = True
            self._in(ms, partial(self._thaw, actor))

    def _thaw(self, actor: Actor) -> None:
        if actor.frozen and actor.alive:
            self.tell(f"{actor.name} goes on")
            self._judge.trouble(actor.name, self.time.clock())
        actor.frozen = False

    def _cut_a_machine_off(self, deed: Deed) -> None:
        for actor in self._pick(Supervisor, deed):
            self._cut_off[actor.name] = self.time.passed + round(deed.seconds * 1000)

    def _drain_a_machine(self, deed: Deed) -> None:
        for actor in self._pick(Supervisor, deed)[:1]:
            if isinstance(actor, Supervisor):
                actor.drain()
        self._in(self._order.randint(100, 6_000), self.replace)

    def _one_more_machine(self, deed: Deed) -> None:
        self.supervisor(1, 1 + deed.lot % 3)

    def _restart_redis(self, deed: Deed) -> None:
        self.outage()
        self._in(round(deed.seconds * 1000), partial(self.outage, over=True))

    def _lose_messages(self, deed: Deed) -> None:
        self.deaf = True
        self._in(round(deed.seconds * 1000), self._hear_again)

    def _hear_again(self) -> None:
        self.deaf = False

    def _set_the_clock(self, deed: Deed) -> None:
        self.jump((-60, -5, 5, 60)[deed.lot % 4])

    def _fail_over(self, deed: Deed) -> None:
        self._saved = self.save()
        self._in(deed.lot % 2000, self._lose_what_was_written)

    def _lose_what_was_written(self) -> None:
        if self._saved is not None and self._calm_since is None:
            self.fail_over(self._saved)
            self.wire.up = False
            self.outage(over=True)

    # What is heard

    def enter(self, actor: Actor) -> None:
        """See `World.enter`."""
        super().enter(actor)
        if isinstance(actor, Child) and isinstance(self._acting, Supervisor):
            self._judge.crews[actor.outfit.lane.id] = Crew(actor, self._acting)

    def began(self, child: Child, job: Claimed) -> None:
        """See `World.began`; poison does its work."""
        tale = self.tale(job.id)
        if not (self.ledger.lossy or tale.tampered):
            self._judge.begins(job, tale)
        super().began(child, job)
        self.tally.starts += 1
        poison = self._specs[job.id].description
        if poison:
            whole = poison != "poison" and self._calm_since is None
            self._in(0, partial(self._kill, self._crew(child.name) or [], whole=whole))

    def replace(self) -> None:
        """See `World.replace`."""
        if not self._leaving:
            super().replace()

    def died(self, child: Child) -> None:
        """See `World.died`."""
        super().died(child)
        self._judge.died_at.setdefault(child.outfit.lane.id, self.time.clock())

    def _execute(self, call: Call) -> Any:
        sweeps = call.step.script.name == "sweep"
        before = set(self.model.leases) if sweeps else set()
        answer = super()._execute(call)
        if sweeps and not self.ledger.lossy:
            for _, member in before - self.model.leases.keys():
                self._judge.take_over(member, self.time.clock())
        return answer

    # How it ends

    def _calm(self) -> None:
        """From now on nothing goes wrong; what is under way comes to its end."""
        self.tell("nothing goes wrong any more")
        self._calm_since = self.time.clock()
        if not self.wire.up:
            self.outage(over=True)
        self.deaf = False
        agenda, self._agenda = sorted(self._agenda), []
        for _, _, _, action in agenda:
            action()
        for call in list(self.wire.calls):
            self.execute(call)
        for call in list(self.wire.calls):
            self.answer(call)
        for actor in self.actors:
            self._thaw(actor)
        self.replace()

    def _come_to_rest(self) -> None:
        until = self.time.clock() + PATIENCE
        while not self._rests():
            ensure(self.time.clock() < until, f"never at rest: {self.ledger.unfinished()}")
            self._go(self.time.passed + 500)
            self.replace()
            self._check_recovery()

    def _rests(self) -> bool:
        idle = all(client.idle for client in self._clients)
        return idle and not (self.ledger.unfinished() or self.model.leases or self.wire.calls)

    def _check_recovery(self) -> None:
        if self.ledger.lossy or self._calm_since is None:
            return
        for _, member in self.model.leases:
            due = self._judge.is_due(member, self._calm_since, self.time.clock())
            ensure(not due, f"nobody has taken {member} over")

    def _check_that_none_is_lost(self) -> None:
        for job_id in self.ledger.acknowledged - self._deleted:
            known = job_id in self.model.jobs
            ran = any(how in ("ok", "none") for how in self.tale(job_id).ended.values())
            ensure(known or ran or self.ledger.lossy, f"{job_id} was acknowledged, and is lost")

    def _leave(self) -> None:
        """All workers are asked to end, and the years go by."""
        self.tell("all workers are to end, and years go by")
        self._leaving = True
        for supervisor in self.supervisors:
            if supervisor.alive:
                supervisor.drain()
        self._go(self.time.passed + 10_000)
        ensure(not self.children, f"still alive: {[child.name for child in self.children]}")
        self.advance(YEARS)
        self.redis.tick()
        for queue in QUEUES:
            self._clients[0].tell(steps.trim(queue), _heard)
        self._go(self.time.passed + 10)

    def _check_that_nothing_is_left(self) -> None:
        left = left_over(parse(self.redis.snapshot()))
        ensure(not left, f"left for ever: {left}")


def _heard(_answer: object) -> None:
    pass
