"""A child whose jobs are coroutines, as an actor: many run at once, and end in any order."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tests.model.actors import NEVER, Life, Wish
from tests.model.workers import Child, Plan, Stage

from msgqueue.jobs import Claimed, Outcome
from msgqueue.worker.child import DOUBT
from msgqueue.worker.exchange import BEGIN_WITHIN, Held
from msgqueue.worker.journal import ASYNC, Begin
from msgqueue.worker.limits import SupervisorLost
from msgqueue.worker.outfit import Outfit

STUBBORN: Final = 10.0  # seconds; a run that would take longer does not let itself be cancelled
ROUND: Final = 0.2  # seconds in which the event loop shows that it goes round, where that matters


@dataclass
class Coroutine:
    """A run that has begun; `cancelled`: it was asked to end, and is too late to end well."""

    held: Held
    plan: Plan
    started: float
    ends_at: float
    deadline: float
    cancelled: bool = False


class Juggler(Child):
    """What the async lane of a child does; it has no other.

    While a call is under way runs end, and others begin.
    """

    def __init__(self, stage: Stage, outfit: Outfit) -> None:
        super().__init__(stage, outfit)
        self._coroutines: dict[int, Coroutine] = {}  # by their slot

    @property
    def runs(self) -> list[Claimed]:
        """See `Child.runs`."""
        return [one.held.job for one in self._coroutines.values()]

    @property
    def _room(self) -> int:
        return self.outfit.terms.concurrency - len(self._coroutines) - len(self._jobs)

    def life(self) -> Life[None]:
        """The loop of a child."""
        with suppress(SupervisorLost):
            yield from self._until(lambda: self.woken or self.lost_at is not None)
            while not self._journal.draining and self.lost_at is None:
                if not (yield from self._call(self.outfit.terms.queues, self._room)):
                    yield from self._rest()
            yield from self._end()

    def _rest(self) -> Life[None]:
        self.idle, self.woken = self._room > 0, False
        yield from self._until(
            lambda: self.woken or self.lost_at is not None or self._exchange.pending
        )
        self.idle = False

    def _end(self) -> Life[None]:
        self._jobs.clear()  # taken back, or lost with the lease
        while self._coroutines or self._exchange.pending:
            if self._exchange.pending:
                yield from self._call((), 0)
            else:
                yield from self._until(lambda: self._exchange.pending)

    def _until(self, met: Callable[[], bool], at: float = NEVER) -> Life[None]:
        """Wait; meanwhile coroutines begin and end."""
        self._go_round()
        while not met() and self.clock() < at:
            yield self._wish(met, min(at, self._wants_at()), self.lost_at)
            self._go_round()

    def _wish(self, met: Callable[[], bool], at: float, lost_at: float | None) -> Wish:
        return Wish(lambda: met() or self._is_asked() or self.lost_at != lost_at, at)

    def _is_asked(self) -> bool:
        return any(
            self._journal.stopping(slot) and not one.cancelled
            for slot, one in self._coroutines.items()
        )

    def _wants_at(self) -> float:
        ends = [min(one.ends_at, one.deadline) for one in self._coroutines.values()]
        late = any(one.cancelled for one in self._coroutines.values())
        doubts = [self.clock() + DOUBT] if self._jobs else []
        limits = [self._limit] if self._coroutines else []
        return min([*ends, *doubts, *limits, self.clock() + ROUND if late else NEVER])

    @property
    def _limit(self) -> float:
        """Until when it may run anything."""
        return NEVER if self.lost_at is None else self.lost_at + BEGIN_WITHIN

    def _go_round(self) -> None:
        self._journal.leave()
        if self._coroutines and self.clock() >= self._limit:
            raise SupervisorLost
        for slot, one in list(self._coroutines.items()):
            self._look(slot, one)
        for _ in range(len(self._jobs)):
            self._begin(self._jobs.popleft())

    def _look(self, slot: int, one: Coroutine) -> None:
        now = self.clock()
        if now >= one.deadline or self._journal.stopping(slot):
            one.cancelled, one.deadline = True, NEVER
        if one.cancelled and one.plan.seconds < STUBBORN:
            self._finish(slot, one, Plan(0.0, "error", b"CancelledError: it was"))
        elif now >= one.ends_at:
            self._finish(slot, one, one.plan)

    def _begin(self, held: Held) -> None:
        slot, job = held
        now, started = self.clock(), self._stage.time.wall()
        begin = self._journal.begin(slot, job.timeout, now, started, ASYNC)
        if begin is Begin.REVOKED:
            self._journal.free((slot,))
        elif begin is Begin.LATE:
            self._jobs.append(held)
        else:
            plan = self._stage.plan(job)
            deadline = now + job.timeout if job.timeout > 0 else NEVER
            one = Coroutine(held, plan, started, now + plan.seconds, deadline)
            self._coroutines[slot] = one
            self._stage.began(self, job)

    def _finish(self, slot: int, one: Coroutine, plan: Plan) -> None:
        del self._coroutines[slot]
        job, times = one.held.job, (one.started, self._stage.time.wall())
        outcome = Outcome(job.queue, job.id, job.execution, plan.kind, plan.value, *times)
        self._exchange.add(slot, outcome, self.clock())
        self._stage.ended(self, job, plan.kind)
