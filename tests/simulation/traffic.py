"""A world with a scheduler: it decides who acts next, and what becomes of every call."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Final

from tests.model.actors import Actor
from tests.model.plain_worker import PlainWorker
from tests.model.virtual import VirtualRedis
from tests.model.wire import Call
from tests.model.workers import Child, Supervisor
from tests.model.world import World
from tests.simulation.judge import Crew, Judge
from tests.simulation.plan import Fate, Plan
from tests.simulation.tally import Tally

#: After these the sender asks again at once and is answered as before: they excuse no lost lease.
ASKED_AGAIN: Final = ("lost", "unanswered", "stray", "copied")
#: What may happen to the calls of a plain rq worker, which ends where a connection does.
OF_PLAIN: Final = ("slow", "lost", "unanswered", "killed before", "killed after")
CALM: Final = Fate("", 0, 0, 0, whole=False)


class Traffic(World):
    """A world whose calls meet the fates of a plan.

    Args:
        redis: with an empty database.
        plan: what is chosen.
        seed: orders what happens at the same moment.
        foretelling: see `World`.

    Attributes:
        misfortunes: names of what went wrong, in order.
        tally: the figures.
    """

    def __init__(
        self, redis: VirtualRedis, plan: Plan, seed: int, *, foretelling: bool = True
    ) -> None:
        super().__init__(redis, self._sent, foretelling=foretelling)
        self._plan, self._order = plan, random.Random(~seed)
        self._agenda: list[tuple[int, float, int, Callable[[], None]]] = []
        self._noted = 0
        self._calm_since: float | None = None
        self._acting: Actor | None = None
        self._cut_off: dict[str, int] = {}  # name: until when, in milliseconds
        self._judge = Judge()
        self.misfortunes: list[str] = []
        self.tally = Tally(seeds=1)

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
        if call.sender.startswith("plain") and fate.mishap not in OF_PLAIN:
            fate = fate._replace(mishap="")
        if fate.mishap:
            self._note(f"c{call.number}", f"{call}: {fate.mishap}")
            if fate.mishap not in ASKED_AGAIN or self._judge.was_away(self.time.clock()):
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
        if fate.mishap == "frozen" and crew is not None and self._calm_since is None:
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
            if actor.name == name and isinstance(actor, PlainWorker):
                return [actor]
            if actor.name == name and isinstance(actor, Supervisor):
                return [actor, *self._machine(actor)]
        return None

    def _machine(self, supervisor: Supervisor) -> list[Actor]:
        crews = self._judge.crews.values()
        return [supervisor, *(crew.child for crew in crews if crew.supervisor is supervisor)]

    # What is done to those who act

    def _note(self, name: str, what: str) -> None:
        self.misfortunes.append(name)
        self.tally.misfortunes += 1
        self.tell(f"! {name}: {what}")

    def _kill(self, crew: Sequence[Actor], *, whole: bool) -> None:
        for actor in crew if whole else crew[:1]:
            if actor.alive:
                self.tally.crashes += 1
                self.tell(f"{actor.name} is killed")
                actor.die()
        self._in(self._order.randint(100, 6_000), self.replace)

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

    # What is heard

    def enter(self, actor: Actor) -> None:
        """See `World.enter`."""
        super().enter(actor)
        if isinstance(actor, Child) and isinstance(self._acting, Supervisor):
            self._judge.crews[actor.outfit.lane.id] = Crew(actor, self._acting)

    def died(self, child: Child) -> None:
        """See `World.died`."""
        super().died(child)
        self._judge.died_at.setdefault(child.outfit.lane.id, self.time.clock())
