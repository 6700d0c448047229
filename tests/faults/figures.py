"""The figures of a session of fault tests, printed at its end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.ledger import Verdict

HEAD = (
    "fault", "strikes", "attempted", "acknowledged", "ok", "lost", "unexpected", "duplicated",
    "recovered", "within s", "resumed s", "forgotten",
)  # fmt: skip


@dataclass
class Figures:
    """What each fault came to: its strikes and its verdict."""

    rows: dict[str, tuple[int, Verdict]] = field(default_factory=dict)

    def add(self, fault: str, strikes: int, verdict: Verdict) -> None:
        """Note a trial; those of one fault are added up."""
        before, sum_before = self.rows.get(fault, (0, Verdict()))
        self.rows[fault] = before + strikes, sum_before + verdict

    def cells(self) -> list[tuple[str, ...]]:
        """The table's rows, its head first; F2 comes before F10."""
        return [
            HEAD,
            *(_cells(fault, *self.rows[fault]) for fault in sorted(self.rows, key=_order)),
        ]

    def table(self) -> Iterator[str]:
        """The lines of a table."""
        rows = self.cells()
        widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
        for fault, *numbers in rows:
            cells = [fault.ljust(widths[0])]
            cells += [one.rjust(width) for one, width in zip(numbers, widths[1:], strict=True)]
            yield "  ".join(cells)


def _order(fault: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", fault)]


def _cells(fault: str, strikes: int, verdict: Verdict) -> tuple[str, ...]:
    counts = (
        strikes, verdict.attempted, verdict.acknowledged, verdict.ok, len(verdict.lost),
        len(verdict.unexpected), len(verdict.duplicated), verdict.recovered,
    )  # fmt: skip
    spans = (f"{span:.1f}" if span else "-" for span in (verdict.within, verdict.resumed))
    return fault, *map(str, counts), *spans, str(len(verdict.forgotten) or "-")
