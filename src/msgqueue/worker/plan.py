"""What one run of a supervisor is to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgqueue.queue import TaskQueue
from msgqueue.worker.extras import Extra
from msgqueue.worker.identity import Identity
from msgqueue.worker.scaling import Bounds
from msgqueue.worker.shared import NEVER
from msgqueue.worker.terms import Terms


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run of a supervisor is to do; see `Supervisor`.

    Attributes:
        queue: whose jobs.
        terms: how its children work.
        bounds: how many of them there are.
        grace: seconds that running jobs get when it is to end.
        burst: whether it ends when the queues are empty.
        extras: what it minds beside its children.
        identity: what its children are called.
        idle: seconds without a job after which it ends.
        promotes: whether it queues jobs that are due.
        insist: seconds after the first signal in which a second one counts as the first.
    """

    queue: TaskQueue
    terms: Terms
    bounds: Bounds
    grace: float = NEVER
    burst: bool = False
    extras: Sequence[Extra] = ()
    identity: Identity = field(default_factory=Identity)
    idle: float = NEVER
    promotes: bool = True
    insist: float = 0.0
