"""One run of a seed: everybody acts, things go wrong, all comes to rest, and is judged."""

from functools import partial
from typing import Any, Final

from tests.model.actors import Actor, Client
from tests.model.dependents import defer
from tests.model.invariants import left_over
from tests.model.ledger import ensure
from tests.model.plain_worker import PlainWorker
from tests.model.snapshot import parse
from tests.model.virtual import VirtualRedis
from tests.model.wire import Call
from tests.model.workers import Child, Supervisor
from tests.model.world import QUEUES, Saved
from tests.simulation.plain_books import PlainBooks
from tests.simulation.plan import Deed, Job, Plan
from tests.simulation.tally import Tally
from tests.simulation.traffic import Traffic

from msgqueue.jobs import Claimed, JobSpec, Retry
from msgqueue.store import steps

PATIENCE: Final = 400.0  # seconds in which all must have ended, once nothing goes wrong any more
YEARS: Final = 100_000_000.0  # seconds after which nothing is to be left


class Play(Traffic):
    """A whole run by a plan: see `Traffic`."""

    def __init__(
        self, redis: VirtualRedis, plan: Plan, seed: int, *, foretelling: bool = True
    ) -> None:
        super().__init__(redis, plan, seed, foretelling=foretelling)
        self._leaving = False
        self._specs: dict[str, JobSpec] = {}
        self._deleted: set[str] = set()
        self._saved: Saved | None = None
        self._clients = [self.client() for _ in range(plan.clients)]
        for (processes, claim), runs in zip(plan.machines, plan.coroutines, strict=True):
            self.supervisor(processes, claim, concurrency=runs)
        self._books = PlainBooks(self, self._specs)
        self._plain = [
            PlainWorker(self, self._books, number, queues)
            for number, queues in enumerate(plan.plain_workers)
        ]
        for worker in self._plain:
            self.enter(worker)
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
        self._books.close()
        self.check()
        self.ledger.check_end(())
        self._check_that_none_is_lost()
        self._leave()
        self._check_that_nothing_is_left()
        self.tally.calls = self.wire.count
        self.tally.plain_starts, self.tally.lost_by_rq = self._books.starts, len(self._books.lost)
        self.tally.count(self.ledger, self._specs)
        return self.tally

    # What is done

    def _do(self, deed: Deed) -> None:
        if deed.job is not None:
            self._ask(deed, deed.job)
        elif self._calm_since is None:
            self._note(deed.name, deed.kind)
            getattr(self, f"_{deed.kind.replace(' ', '_')}")(deed)

    def _ask(self, deed: Deed, job: Job) -> None:
        client = self._clients[deed.lot % len(self._clients)]
        now_text = self.time.text
        self.tell(f"{client.name} is to {deed.kind} {job.id}")
        if deed.kind == "enqueue":
            self._enqueue(client, deed, job)
        elif deed.kind == "defer":
            self._defer(job)
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
        spec = self._spec_of(job, changes)
        if deed.lot % 3 == 0:  # the very same call, when it is not the first one
            spec = self._specs[job.id]
        self.enqueue(client, spec)

    def _defer(self, job: Job) -> None:
        spec = self._spec_of(job, job.options)
        if self.wire.up and defer(self, spec, job.parents, lenient=job.lenient):
            self.tell(f"{job.id} waits for {', '.join(job.parents)}")
            self.ledger.acknowledged.add(job.id)
            self.tally.dependents += 1

    def _spec_of(self, job: Job, options: dict[str, Any]) -> JobSpec:
        kind = "ok" if job.kind.startswith("poison") else job.kind
        poison = job.kind if kind != job.kind else ""
        spec = self.spec(job.id, seconds=job.seconds, kind=kind, value=job.value, **options)
        spec = spec._replace(description=poison)
        self._specs.setdefault(job.id, spec)
        return spec

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

    def _kill_a_plain_worker(self, deed: Deed) -> None:
        self._kill(self._pick(PlainWorker, deed), whole=True)

    def _freeze_a_child(self, deed: Deed) -> None:
        self._freeze(self._pick(Child, deed), round(deed.seconds * 1000), whole=False)

    def _freeze_a_supervisor(self, deed: Deed) -> None:
        self._freeze(self._pick(Supervisor, deed), round(deed.seconds * 1000), whole=False)

    def _freeze_a_machine(self, deed: Deed) -> None:
        self._freeze(self._pick(Supervisor, deed), round(deed.seconds * 1000), whole=True)

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

    def began(self, child: Child, job: Claimed) -> None:
        """See `World.began`; poison does its work."""
        tale = self.tale(job.id)
        tale.tampered = tale.tampered or job.id in self.exempt
        if not (self.ledger.lossy or tale.tampered):
            self._judge.begins(job, tale)
        super().began(child, job)
        self.tally.starts += 1
        poison = self._specs[job.id].description
        if poison:
            whole = poison != "poison" and self._calm_since is None
            self._in(0, partial(self._kill, self._crew(child.name) or [], whole=whole))

    def outage(self, *, over: bool = False) -> None:
        """See `World.outage`."""
        super().outage(over=over)
        self._judge.back_at = self.time.clock()

    def replace(self) -> None:
        """See `World.replace`."""
        if not self._leaving:
            super().replace()

    def _execute(self, call: Call) -> Any:
        sweeps = call.step.script.name == "sweep"
        before = set(self.model.leases) if sweeps else set()
        answer = super()._execute(call)
        self._books.changed(call.step)
        if call.step.script.name == "beat":
            self._judge.beaten[call.sender] = self.time.clock()
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
        for call in [one for one in self.wire.calls if not one.done]:
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
        model = self.model
        under_way = model.leases or model.elsewhere or model.handovers or self.wire.calls
        return idle and not (self.ledger.unfinished() or under_way)

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
        """What did not end is deleted, all workers are asked to end, and the years go by."""
        self.tell("all workers are to end, and years go by")
        for job_id, job in self.model.jobs.items():
            if not job.final:
                self._clients[0].tell(steps.delete(job_id, self.time.text), _heard)
        self._leaving = True
        for worker in self._plain:
            worker.leaving = True
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
        left = set(left_over(parse(self.redis.snapshot()))) - self.lasting
        ensure(not left, f"left for ever: {sorted(left)}")


def _heard(_answer: object) -> None:
    pass
