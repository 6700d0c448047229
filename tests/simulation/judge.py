"""Whether what was taken over, and what ran twice, had to be: who was in trouble, and when."""

from dataclasses import dataclass, field
from typing import Final

from tests.model.ledger import Tale, ensure
from tests.model.workers import Child, Supervisor

from msgqueue.jobs import Claimed

#: Seconds after trouble in which an execution may still be taken over for it.
MEMORY: Final = 9.0
LEASE: Final = 8.0  # seconds after a beat in which nobody takes over what it named


@dataclass
class Crew:
    """A child and the supervisor whose it is."""

    child: Child
    supervisor: Supervisor


@dataclass
class Judge:
    """Knows what was done to whom.

    Attributes:
        crews: by the id of the child's lane.
        taken: members of executions that a sweep took over.
        died_at: when a child died, by the id of its lane.
        beaten: when a supervisor last beat, by its name.
        back_at: when Redis last came back from an outage.
    """

    crews: dict[str, Crew] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    died_at: dict[str, float] = field(default_factory=dict)
    beaten: dict[str, float] = field(default_factory=dict)
    back_at: float = -1000.0
    _troubled: dict[str, float] = field(default_factory=dict)

    def trouble(self, name: str, now: float) -> None:
        """Something was done to this actor, or to one of its calls."""
        self._troubled[name] = now

    def take_over(self, member: str, now: float) -> None:
        """A sweep took an execution over: somebody must have been unable to renew its lease."""
        crew = self.crews[lane_of(member)]
        ensure(
            not crew.supervisor.alive
            or self._in_trouble(crew.supervisor, now)
            or self._in_trouble(crew.child, now)
            or self._is_silent(crew.supervisor, now),
            f"{member} was taken over from {crew.child.name}, whose supervisor is well",
        )
        self.taken.add(member)

    def was_away(self, now: float) -> bool:
        """Whether Redis came back so short a time ago that whoever has bad luck may be too late."""
        return now - self.back_at < MEMORY

    def _is_silent(self, supervisor: Supervisor, now: float) -> bool:
        """Whether it has not beaten for as long as a lease, for which Redis could be reached."""
        beaten = self.beaten.get(supervisor.name, -LEASE)
        return now - max(beaten, self.back_at) >= LEASE

    def _in_trouble(self, actor: Child | Supervisor, now: float) -> bool:
        return actor.frozen or now - self._troubled.get(actor.name, -MEMORY) < MEMORY

    def begins(self, job: Claimed, tale: Tale) -> None:
        """A job begins: those of its runs that ended well, or go on, must have been taken over."""
        ended = [execution for execution, how in tale.ended.items() if how in ("ok", "none")]
        for execution in (*ended, *tale.running):
            ensure(
                execution == job.execution or f"{job.id}:{execution}" in self.taken,
                f"{job.id}:{job.execution} runs again what {execution} ran, which nobody took over",
            )

    def is_due(self, member: str, calm_since: float, now: float) -> bool:
        """Whether somebody must have settled what a dead child held, or taken it over."""
        crew = self.crews[lane_of(member)]
        if crew.child.alive:
            return False
        since = max(calm_since, self.died_at[lane_of(member)])
        # Whoever was away reconnects within two seconds; then it settles within one.
        return now > since + (3.1 if crew.supervisor.alive else MEMORY + 0.1)


def lane_of(member: str) -> str:
    """The lane that claimed it."""
    return member.rsplit(":", 1)[1].split(".", maxsplit=1)[0]
