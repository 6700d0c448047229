"""What is measured, one module each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.trial import Trial

Best = Literal["most", "least"] | None


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        key: its name in the JSON.
        title: what it is, with its unit.
        best: whether more or less is better; None where it is neither.
        digits: after the point.
    """

    key: str
    title: str
    best: Best
    digits: int = 0


@dataclass(frozen=True)
class Measurement:
    """What is done with one contender at a time, and the figures that come of it.

    Attributes:
        name: as `Contender.takes` has it.
        figures: in the order of the table.
        take: takes them once, by key; leaves out what the contender does not have.
        once: it is not repeated in every round.
        slow: `--quick` leaves it out, unless it is asked for by name.
    """

    name: str
    figures: tuple[Figure, ...]
    take: Callable[[Trial], dict[str, float]]
    once: bool = False
    slow: bool = False
