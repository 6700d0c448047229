"""How the children of a supervisor work."""

from collections.abc import Callable
from dataclasses import dataclass

from msgqueue.errors import ConfigurationError
from msgqueue.queue import TaskQueue
from msgqueue.worker import resident
from msgqueue.worker.limits import TimeLimit
from msgqueue.worker.order import Turns
from msgqueue.worker.pace import MOST
from msgqueue.worker.rq_path import RqPath

MOST_COROUTINES = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a supervisor tells each of its children alike; see `Supervisor`.

    Attributes:
        queues: what it claims from, in order of priority.
        claim: how many jobs it claims at once, at most.
        concurrency: how many coroutines it runs at once.
        max_jobs: how many jobs it runs before another takes its place; None for any number.
        max_memory: MiB that it may take, what it shares counted in; None for any number.
        weights: a weight for each queue, for fair shares instead of priority.
        order: how its queues take turns where they have no weights.
        jobs: how many jobs it claims in all; None for any number.
        max_deliveries: of jobs that plain rq enqueued; None for the default.
        result_ttl: seconds, of jobs that say nothing of it; None for the default.
        lets_end: whether a run that rq cancels or deletes goes on to its end: rq's rule.
        rules: by what jobs run, instead of the TaskQueue's own rules.

    Raises:
        ConfigurationError: a number is out of range.
    """

    queues: tuple[str, ...]
    claim: int = MOST
    concurrency: int = 100
    max_jobs: int | None = None
    max_memory: float | None = None
    weights: tuple[int, ...] | None = None
    order: Turns = "strict"
    jobs: int | None = None
    max_deliveries: int | None = None
    result_ttl: int | None = None
    lets_end: bool = False
    rules: Callable[[TaskQueue, TimeLimit], RqPath] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= MOST_COROUTINES:
            raise ConfigurationError(
                f"concurrency={self.concurrency} cannot be used: give 1 to {MOST_COROUTINES:,}"
            )
        if self.claim < 1:
            raise ConfigurationError(f"claim={self.claim} cannot be used: give 1 or more")
        if self.max_jobs is not None and self.max_jobs < 1:
            raise ConfigurationError(f"max_jobs={self.max_jobs} cannot be used: give 1 or more")
        if self.max_memory is not None:
            resident.check(self.max_memory)
