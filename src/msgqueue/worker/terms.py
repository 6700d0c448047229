"""How the children of a supervisor work."""

from dataclasses import dataclass

from msgqueue.worker.pace import MOST


@dataclass(frozen=True, slots=True)
class Terms:
    """What a supervisor tells each of its children alike; see `Supervisor`.

    Attributes:
        queues: what it claims from, in order of priority.
        claim: how many jobs it claims at once, at most.
        concurrency: how many coroutines it runs at once.
        weights: a weight for each queue, for fair shares instead of priority.
    """

    queues: tuple[str, ...]
    claim: int = MOST
    concurrency: int = 100
    weights: tuple[int, ...] | None = None
