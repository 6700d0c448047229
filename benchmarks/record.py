"""What a run found: every value of every round, and the medians of them."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.measurements import Figure, Measurement
from benchmarks.roster import Contender


@dataclass
class Record:
    """The values so far.

    Attributes:
        conditions: of the run: date, machine, server, versions.
        contenders: whom it measured.
        measurements: what it measured.
        values: by contender and figure, one a round.
        faults: by contender and measurement, what went wrong.
        keeps: by contender, what is kept of a finished job.
    """

    conditions: dict[str, str]
    contenders: tuple[Contender, ...]
    measurements: tuple[Measurement, ...]
    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: dict[tuple[str, str], str] = field(default_factory=dict)
    keeps: dict[str, str] = field(default_factory=dict)

    def add(self, contender: Contender, figures: dict[str, float]) -> None:
        """Note the values of one measurement."""
        for key, value in figures.items():
            self.values[contender.name, key].append(value)

    def middle(self, contender: Contender, figure: Figure) -> float | None:
        """The median of the rounds; None where there is none."""
        values = self.values.get((contender.name, figure.key))
        return median(values) if values else None

    def best_peer(self, figure: Figure) -> tuple[Contender, float] | None:
        """The Python peer that is best in this."""
        pick = max if figure.best == "most" else min
        found = [
            (contender, middle)
            for contender in self.contenders
            if contender.peer and (middle := self.middle(contender, figure)) is not None
        ]
        return pick(found, key=lambda pair: pair[1]) if found and figure.best else None

    def times_best_peer(self, contender: Contender, figure: Figure) -> float | None:
        """How many times better than that peer; below 1 it is worse."""
        middle, best = self.middle(contender, figure), self.best_peer(figure)
        if not middle or best is None or not best[1]:
            return None
        return middle / best[1] if figure.best == "most" else best[1] / middle

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "conditions": self.conditions,
            "figures": {
                figure.key: {"title": figure.title, "best": figure.best}
                for measurement in self.measurements
                for figure in measurement.figures
            },
            "contenders": {
                contender.name: {
                    "requirements": contender.requirements,
                    "keeps": self.keeps.get(contender.name),
                    "rounds": {
                        key: values
                        for (name, key), values in self.values.items()
                        if name == contender.name
                    },
                    "failed": {
                        measurement: fault
                        for (name, measurement), fault in self.faults.items()
                        if name == contender.name
                    },
                }
                for contender in self.contenders
            },
        }
