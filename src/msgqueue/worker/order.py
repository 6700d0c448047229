"""In which order a child claims from its queues: by priority, or a fair share by weight."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

from msgqueue.errors import ConfigurationError

MOST_DIGITS: Final = 9  # of a weight on a command line; Python reads no number without end
Turns = Literal["strict", "round_robin", "random"]


class Order(Protocol):
    """Asked before each claim, and told what it brought."""

    def queues(self) -> tuple[str, ...]:
        """The queues to claim from, the first one first."""

    def note(self, asked: Sequence[str], came: Sequence[str]) -> None:
        """A claim asked these queues in this order and brought a job of each of those."""


class Strict:
    """Jobs of a queue are taken only where none waits in the queues before it."""

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)

    def queues(self) -> tuple[str, ...]:
        """Always the same."""
        return self._queues

    def note(self, asked: Sequence[str], came: Sequence[str]) -> None:
        """Nothing changes the order."""


class Weighted:
    """Each queue in which jobs wait gives its weight's share of what is taken (stride scheduling).

    A job moves its queue on by 1 / weight, and the queue that is furthest behind comes first. So
    none starves, whatever the size of claims. Each child reckons for itself: shares hold over
    all of them.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = dict(weights)
        self._passed = dict.fromkeys(weights, 0.0)

    def queues(self) -> tuple[str, ...]:
        """The one furthest behind first; of equals the heavier one."""
        return tuple(sorted(self._passed, key=lambda q: (self._passed[q], -self._weights[q])))

    def note(self, asked: Sequence[str], came: Sequence[str]) -> None:
        """Move on what gave jobs; what was empty keeps up with it, so that it saves nothing up."""
        gave = Counter(came)
        line = min((self._passed[queue] for queue in gave), default=0.0)
        for queue in asked:
            if queue in gave:
                self._passed[queue] += gave[queue] / self._weights[queue]
            else:
                self._passed[queue] = max(self._passed[queue], line)


class RoundRobin:
    """A queue that gave a job goes behind the others, as with rq's strategy of this name."""

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)

    def queues(self) -> tuple[str, ...]:
        """The one after that which gave last first."""
        return self._queues

    def note(self, _asked: Sequence[str], came: Sequence[str]) -> None:
        """Turn to the queue behind the last one that gave."""
        if came:
            behind = self._queues.index(came[-1]) + 1
            self._queues = self._queues[behind:] + self._queues[:behind]


class Random:
    """Another order at each claim, as with rq's strategy of this name."""

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)

    def queues(self) -> tuple[str, ...]:
        """Shuffled."""
        return tuple(random.sample(self._queues, len(self._queues)))

    def note(self, asked: Sequence[str], came: Sequence[str]) -> None:
        """Nothing is remembered."""


def order_of(
    queues: Sequence[str], weights: Sequence[int] | None, turns: Turns = "strict"
) -> Order:
    """The order of these queues: by their weights, else as they take turns."""
    if weights is not None:
        return Weighted(dict(zip(queues, weights, strict=True)))
    if turns == "strict":
        return Strict(queues)
    return RoundRobin(queues) if turns == "round_robin" else Random(queues)


def check_weights(weights: Mapping[str, int]) -> tuple[int, ...]:
    """The weights, in the queues' order.

    Raises:
        ConfigurationError: one is no whole number of 1 or more.
    """
    for queue, weight in weights.items():
        if type(weight) is not int or weight < 1:
            raise ConfigurationError(
                f"the weight {weight!r} of queue {queue!r} cannot be used:"
                " give a whole number of 1 or more"
            )
    return tuple(weights.values())


def parse(text: str, known: Sequence[str]) -> list[str] | dict[str, int]:
    """What a command line says of queues: `high,default`, or with weights `high:5,default:1`.

    Args:
        text: as it was given.
        known: names that are taken as they are, whatever stands behind a colon.

    Raises:
        ConfigurationError: only some of the queues have a weight.
    """
    names = [name.strip() for name in text.split(",")]
    weights = {}
    for name in names:
        queue, _, weight = name.rpartition(":")
        if name not in known and queue and weight.isdecimal() and len(weight) <= MOST_DIGITS:
            weights[queue] = int(weight)
    if not weights:
        return names
    if len(weights) < len(names):
        raise ConfigurationError(f"--queues {text}: give a weight for each queue, or for none")
    return weights
