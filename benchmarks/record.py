"""What a run found: every value of every round, and the medians of them."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.measurements import Figure, Measurement
from benchmarks.roster import RQ_2, RQ_3, Contender, Environment


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

    def ours(self, figure: Figure) -> float | None:
        """Our median."""
        return self._best(figure, [one for one in self.contenders if one.role == "ours"])

    def best_peer(self, figure: Figure) -> float | None:
        """The median of the Python peer that is best in this."""
        return self._best(figure, [one for one in self.contenders if one.role == "peer"])

    def best_foreign(self, figure: Figure) -> float | None:
        """The median of the one in another language that is best in this."""
        return self._best(figure, [one for one in self.contenders if one.role == "foreign"])

    def best_rq(self, figure: Figure) -> float | None:
        """The median of the rq that is best in this."""
        rq = RQ_2, RQ_3
        return self._best(figure, [one for one in self.contenders if one.environment in rq])

    def times(self, figure: Figure, other: float | None) -> float | None:
        """How many times better ours is than the other; below 1 it is worse."""
        ours = self.ours(figure)
        if not ours or not other:
            return None
        return ours / other if figure.best == "most" else other / ours

    def _best(self, figure: Figure, contenders: list[Contender]) -> float | None:
        pick = max if figure.best == "most" else min
        middles = (self.middle(contender.column, figure) for contender in contenders)
        return pick((middle for middle in middles if middle is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "conditions": self.conditions,
            "figures": {
                figure.key: {
                    "title": figure.title,
                    "best": figure.best,
                    "ours_to_best_peer": self.times(figure, self.best_peer(figure)),
                    "ours_to_best_rq": self.times(figure, self.best_rq(figure)),
                    "ours_to_best_foreign": self.times(figure, self.best_foreign(figure)),
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
