"""The rounds of both, as a table for people and as JSON for programs."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median
from typing import Any, NamedTuple

from rich.table import Table

from msgqueue.bench.measure import Round

WHOLE_FROM = 100
"""Values from here on are shown without decimals."""


class Figure(NamedTuple):
    """A field of Round as the report shows it."""

    field: str
    title: str
    more_is_better: bool


FIGURES = (
    Figure("drained", "no-op jobs run, /s", True),
    Figure("enqueued_singly", "enqueued one by one, /s", True),
    Figure("enqueued_in_bulk", "enqueued in bulk, /s", True),
    Figure("start_p50", "enqueue to start, idle queue, p50 ms", False),
    Figure("start_p99", "enqueue to start, idle queue, p99 ms", False),
)


@dataclass(frozen=True)
class Report:
    """All rounds of ours and of the peer, and where they were measured."""

    ours: Sequence[Round]
    peer: Sequence[Round]
    machine: dict[str, Any]

    def times_better(self, figure: Figure) -> float:
        """How many times better our median is than the peer's."""
        ours, peer = (
            median(getattr(round_, figure.field) for round_ in rounds)
            for rounds in (self.ours, self.peer)
        )
        return float(ours / peer if figure.more_is_better else peer / ours)

    def as_json(self) -> dict[str, Any]:
        """Every value of every round, and the ratios of the medians."""
        return {
            "machine": self.machine,
            "msgqueue": [asdict(round_) for round_ in self.ours],
            "rq worker-pool": [asdict(round_) for round_ in self.peer],
            "times_better": {
                figure.field: round(self.times_better(figure), 2) for figure in FIGURES
            },
        }

    def as_table(self) -> Table:
        """The medians side by side, with the lowest and the highest round."""
        table = Table(title=f"medians of {len(self.ours)} interleaved rounds (lowest-highest)")
        table.add_column("")
        for name in ("msgqueue", "rq worker-pool", "times better"):
            table.add_column(name, justify="right")
        for figure in FIGURES:
            ours, peer = (_spread(figure, rounds) for rounds in (self.ours, self.peer))
            table.add_row(figure.title, ours, peer, f"{self.times_better(figure):.1f}")
        return table


def machine(server: str, processes: int) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "processes": processes,
        "server": server,
        "python": platform.python_version(),
        **{name: version(name) for name in ("msgqueue", "rq", "redis", "hiredis")},
    }


def _spread(figure: Figure, rounds: Sequence[Round]) -> str:
    values = [getattr(round_, figure.field) for round_ in rounds]
    digits = 0 if median(values) >= WHOLE_FROM else 2
    low, middle, high = (
        f"{value:,.{digits}f}" for value in (min(values), median(values), max(values))
    )
    return f"{middle} ({low}-{high})"
