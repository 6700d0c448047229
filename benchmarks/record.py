"""What a run found: every value of every round, and the medians of them."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.measurements import Figure, Measurement
from benchmarks.roster import RQ_2, RQ_3, Contender, Environment

Among = Callable[[Contender], bool]


def python_peer(one: Contender) -> bool:
    """Whether it is written in Python."""
    return one.role == "peer"


def any_rq(one: Contender) -> bool:
    """Whether it is rq, of either line."""
    return one.environment in (RQ_2, RQ_3)


def foreign(one: Contender) -> bool:
    """Whether it is written in another language."""
    return one.role == "foreign"


@dataclass
class Record:
    """The values so far.

    Attributes:
        conditions: of the run: date, machine, server, versions.
        contenders: whom it measured.
        measurements: what it measured.
        values: by column and figure, one a round.
        faults: by column and measurement, what went wrong.
        keeps: by column, what is kept of a finished job.
        versions: by environment, what is installed in it.
        absent: by environment that this machine cannot have, what to install.
        complete: whether nobody interrupted it.
    """

    conditions: dict[str, str]
    contenders: tuple[Contender, ...]
    measurements: tuple[Measurement, ...]
    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: dict[tuple[str, str], str] = field(default_factory=dict)
    keeps: dict[str, str] = field(default_factory=dict)
    versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    absent: dict[Environment, str] = field(default_factory=dict)
    complete: bool = True

    def add(self, contender: Contender, figures: dict[str, float]) -> None:
        """Note the values of one measurement."""
        for key, value in figures.items():
            self.values[contender.column, key].append(value)

    def fail(self, environment: Environment, why: str) -> None:
        """Note that nothing can be measured in that environment."""
        for one in self.contenders:
            if one.environment == environment:
                taken = (what.name for what in self.measurements if what.name in one.takes)
                self.faults.update({(one.column, what): why for what in taken})

    @property
    def columns(self) -> list[str]:
        """Of the table, in order: all but those that are absent."""
        there = (one.column for one in self.contenders if one.environment not in self.absent)
        return list(dict.fromkeys(there))

    def middle(self, column: str, figure: Figure) -> float | None:
        """The median of the rounds; None where there is none."""
        values = self.values.get((column, figure.key))
        return median(values) if values else None

    def best(self, figure: Figure, among: Among) -> tuple[str, float] | None:
        """Who of them is best in this, and its median."""
        columns = dict.fromkeys(one.column for one in self.contenders if among(one))
        found = [(self.middle(column, figure), column) for column in columns]
        pick = max if figure.best == "most" else min
        value, column = pick((one for one in found if one[0] is not None), default=(None, ""))
        return None if value is None else (column, value)

    def times(self, figure: Figure, among: Among) -> float | None:
        """How many times better ours is than the best of them; below 1 it is worse."""
        ours, other = self.best(figure, lambda one: one.role == "ours"), self.best(figure, among)
        if not ours or not other or not ours[1] or not other[1]:
            return None
        return ours[1] / other[1] if figure.best == "most" else other[1] / ours[1]

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "conditions": self.conditions,
            "figures": {
                figure.key: {
                    "title": figure.title,
                    "best": figure.best,
                    "ours_to_best_peer": self.times(figure, python_peer),
                    "ours_to_best_rq": self.times(figure, any_rq),
                    "ours_to_best_foreign": self.times(figure, foreign),
                }
                for measurement in self.measurements
                for figure in measurement.figures
            },
            "contenders": {
                column: {
                    "keeps": self.keeps.get(column),
                    "rounds": {
                        key: found for (name, key), found in self.values.items() if name == column
                    },
                    "failed": {
                        what: why for (name, what), why in self.faults.items() if name == column
                    },
                }
                for column in self.columns
            },
            "complete": self.complete,
            "versions": self.versions,
            "absent": {environment.name: why for environment, why in self.absent.items()},
        }
