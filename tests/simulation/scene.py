"""Two workers and one job, with a choice at every moment: who goes on, and whether anybody dies.

Time stands still but for what is chosen. A worker is a child and its supervisor's parts, as in
tests.model.workers; what a supervisor does at its times is one of the choices here.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from tests.model.actors import Client
from tests.model.ledger import ensure
from tests.model.reading import essence
from tests.model.virtual import VirtualRedis
from tests.model.wire import Call
from tests.model.workers import Child, Supervisor
from tests.model.world import World
from tests.simulation.judge import Crew, Judge, lane_of

from msgqueue.jobs import Claimed
from msgqueue.store import steps

STEP: Final = 2.25  # seconds between two renewals of the lock of those who sweep
PAST_LEASE: Final = 4  # such steps


class Limits(NamedTuple):
    """How often each fault may happen in one run.

    Attributes:
        kills: of a child.
        machines: of a child together with its supervisor.
        passes: nine seconds in which nobody says anything.
        losses: of an answer.
        copies: of a request.
        cancels: a client cancels the job meanwhile.
        deliveries: the job's `max_deliveries`.
    """

    kills: int = 0
    machines: int = 0
    passes: int = 0
    losses: int = 0
    copies: int = 0
    cancels: int = 0
    deliveries: int = 3


class Choice(NamedTuple):
    """One thing that may happen next; `fault`: which of `Limits` it uses up."""

    label: str
    do: Callable[[], None]
    fault: str = ""


class Scene(World):
    """One run, choice by choice.

    Args:
        redis: with an empty database.
        limits: of its faults.
    """

    def __init__(self, redis: VirtualRedis, limits: Limits, *, foretelling: bool = True) -> None:
        super().__init__(redis, foretelling=foretelling)
        self._left = limits._asdict()
        self._judge = Judge()
        self._history: dict[str, list[Any]] = {}
        self._to_beat: set[str] = set()
        self._to_sweep = False
        self._stood_still: set[str] = set()
        self._confirmed: set[str] = set()  # names of hosts whose beat was answered since it doubted
        self._caretaker = self.client()
        self._token = "caretaker"
        for _ in range(2):
            self._lead()
            self.advance(STEP)
        spec = self.spec("a", seconds=0.001, max_deliveries=limits.deliveries)
        self.enqueue(self._caretaker, spec)
        self._at_once()
        self._client: Client | None = None
        if limits.cancels:
            self._client = self.client()
            self._client.tell(steps.cancel("a", self.time.text), _heard)
        self._hosts = [self._host(), self._host()]
        for child in self.children:
            while child.ready:
                child.resume()  # up to its first call

    def _host(self) -> Supervisor:
        host = self.supervisor(1, 1)
        self._acting = host
        host.fleet.fill()
        self._at_once()
        host._calls.receive()
        return host

    def enter(self, actor: Any) -> None:
        """See `World.enter`."""
        super().enter(actor)
        if isinstance(actor, Child):
            self._judge.crews[actor.outfit.lane.id] = Crew(actor, self._acting)

    def _at_once(self) -> None:
        """The caretaker's, or a host's, call is carried out and answered."""
        while self._caretaker.ready or self.wire.calls:
            if self._caretaker.ready:
                self._caretaker.resume()
            for call in list(self.wire.calls):
                self.execute(call)
                self.answer(call)

    # What may happen

    def choices(self) -> list[Choice]:
        """All that may happen next; none at the end."""
        progress = [*self._of_calls(), *self._of_hosts(), *self._of_clients()]
        return (
            progress + [one for one in self._faults() if self._left[one.fault]] if progress else []
        )

    def choose(self, choice: Choice) -> None:
        """Let it happen."""
        if choice.fault:
            self._left[choice.fault] -= 1
        self.tell(f"- {choice.label}")
        choice.do()

    def _of_calls(self) -> Iterator[Choice]:
        for call in self.wire.calls:
            if not call.done:
                yield Choice(f"redis carries out {_named(call)}", partial(self.execute, call))
            else:
                yield Choice(f"{call.sender} hears {_named(call)}", partial(self._hear, call))

    def _of_clients(self) -> Iterator[Choice]:
        if self._client is not None and self._client.ready:
            yield Choice(f"{self._client.name} goes on", self._client.resume)

    def _of_hosts(self) -> Iterator[Choice]:
        for host in self._hosts:
            for ward in host.wards:
                yield from self._of_child(host, ward.child)
                if host.alive and ward.exit is None and not ward.child.alive:
                    yield Choice(f"{host.name} sees that its child is dead", host.fleet.reap)
            if host.wards and host.alive and host.name in self._to_beat and host._calls.idle:
                yield Choice(f"{host.name} beats", partial(self._beat, host))
        if self._to_sweep:
            yield Choice("somebody sweeps", self._sweep)

    def _of_child(self, host: Supervisor, child: Child) -> Iterator[Choice]:
        if not child.alive:
            return
        if child.ready:
            yield Choice(f"{child.name} goes on", partial(self._resume, child))
        elif child.running is not None:
            yield Choice(f"{child.name} ends its job", partial(self._wait_for, child))
        elif child.wish.at < self.time.clock() + 1 and host.name in self._confirmed:
            yield Choice(f"{child.name} looks again", partial(self._wait_for, child))
        elif child.idle and not child.woken and host.alive and self.has_work(("default",)):
            yield Choice(f"{host.name} wakes its child", partial(setattr, child, "woken", True))

    def _faults(self) -> Iterator[Choice]:
        for host in self._hosts:
            for ward in host.wards:
                if ward.child.alive:
                    yield Choice(f"{ward.child.name} is killed", ward.child.die, "kills")
            if host.alive:
                dies = f"{host.name} is killed with its child"
                yield Choice(dies, partial(self.kill_machine, host), "machines")
                stands = f"{host.name} and its child stand still for nine seconds"
                yield Choice(stands, partial(self._pass, host), "passes")
        for call in self.wire.calls:
            if call.done:
                yield Choice(f"no answer to {_named(call)}", partial(self.wire.cut, call), "losses")
            elif call.link is not None:
                yield Choice(f"{_named(call)} is doubled", partial(self._double, call), "copies")

    # How it happens

    def _hear(self, call: Call) -> None:
        self._remember(call.sender, essence(call.answer))
        self.answer(call)
        for host in self._hosts:
            if host.name == call.sender and host.alive:
                host._calls.receive()
        for child in self.children:
            if child.name == call.sender:
                child.resume()

    def _double(self, call: Call) -> None:
        self.wire.copy(call)

    def _resume(self, child: Child) -> None:
        self._remember(child.name, "goes on")
        child.resume()

    def _wait_for(self, child: Child) -> None:
        self._remember(child.name, "ends")
        for host in self._hosts:
            if any(ward.child is child for ward in host.wards):
                self._confirmed.discard(host.name)
        self.advance(max(0.0, child.wish.at - self.time.clock()))
        child.resume()

    def _remember(self, name: str, what: Any) -> None:
        self._history.setdefault(name, []).append(what)

    def _lead(self) -> None:
        self._ask(steps.lead(self._token))

    def _ask(self, step: steps.Step[Any]) -> None:
        self._caretaker.tell(step, _heard)
        self._at_once()

    def _pass(self, still: Supervisor | None) -> None:
        """A lease's time passes, in which all but one worker do what they can."""
        self._stood_still.update([still.name] if still else [])
        names = {still.name, *(ward.child.name for ward in still.wards)} if still else set()
        under_way = [call for call in self.wire.calls if call.sender in names]
        self.wire.calls = [call for call in self.wire.calls if call.sender not in names]
        self._hosts, hosts = [host for host in self._hosts if host is not still], self._hosts
        for _ in range(PAST_LEASE):
            self._go_on()
            self._to_beat = {host.name for host in self._hosts if host.alive}
            self.advance(STEP)
            self._lead()
        self._go_on()
        self._hosts, self.wire.calls = hosts, under_way + self.wire.calls
        self._to_beat = names & {host.name for host in hosts if host.alive}
        self._to_sweep = True

    def _go_on(self) -> None:
        """What may happen without a fault happens, in one order."""
        while choices := [*self._of_calls(), *self._of_hosts(), *self._of_clients()]:
            choices[0].do()

    def _beat(self, host: Supervisor) -> None:
        self._to_beat.discard(host.name)
        under_way, self.wire.calls = self.wire.calls, []
        host._heart.beat()
        [beat] = self.wire.calls
        self.execute(beat)
        self._hear(beat)
        self._confirmed.add(host.name)
        self.wire.calls = under_way + self.wire.calls

    def _sweep(self) -> None:
        self._to_sweep = False
        under_way, self.wire.calls = self.wire.calls, []
        self._lead()
        self._ask(steps.sweep(self._token, self.time.text))
        self.wire.calls = under_way

    def _execute(self, call: Call) -> Any:
        sweeps = call.step.script.name == "sweep"
        before = set(self.model.leases) if sweeps else set()
        answer = super()._execute(call)
        for _, member in before - self.model.leases.keys():
            supervisor = self._judge.crews[lane_of(member)].supervisor
            well = supervisor.alive and supervisor.name not in self._stood_still
            ensure(not well, f"{member} was taken over, and {supervisor.name} is well")
            self._judge.taken.add(member)
        return answer

    def began(self, child: Child, job: Claimed) -> None:
        """See `World.began`."""
        self._judge.begins(job, self.tale(job.id))
        super().began(child, job)

    # Where it stands

    @property
    def key(self) -> str:
        """Equal for two moments from which the same may follow."""
        now, model, tale = self.model.now, self.model, self.tale("a")
        calls = sorted(
            (call.sender, call.step.script.name, call.done, call.link is None, str(call.answer))
            for call in self.wire.calls
        )
        children = [
            (c.child.name, c.child.alive, c.child.woken, c.child.idle, c.supervisor.alive)
            for c in self._judge.crews.values()
        ]
        return repr((
            calls, children, sorted(self._history.items()), sorted(self._left.items()),
            sorted(self._to_beat), self._to_sweep, sorted(self._confirmed),
            model.jobs, model.queues, model.lanes.keys(),
            [(lane.seq, lane.closed, lane.handed) for lane in model.lanes.values()],
            sorted((key, (now - at) // 1000) for key, at in model.leases.items()),
            tale.starts, sorted(tale.running), tale.ended, tale.stopped, tale.canceled,
            sorted(self._judge.taken), [ward.exit for host in self._hosts for ward in host.wards],
        ))  # fmt: skip

    def finish(self) -> None:
        """Nothing goes wrong any more: the job ends, and all that must hold does.

        Raises:
            Broken: it does not.
        """
        self._left = dict.fromkeys(self._left, 0)
        for _ in range(6):
            self._go_on()
            if not self.ledger.unfinished() and not self.model.leases:
                break
            self._pass(None)
            self._ask(steps.promote(("default",), self._token, self.time.text))
            if not self.children:
                self._hosts.append(self._host())
        self.check()
        self.ledger.check_end(())


def _named(call: Call) -> str:
    return f"{call.step.script.name} of {call.sender}"


def _heard(_answer: object) -> None:
    pass
