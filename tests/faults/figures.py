"""The figures of a session of fault tests, printed at its end."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.ledger import Verdict

HEAD = (
    "fault", "strikes", "attempted", "acknowledged", "ok", "lost", "unexpected", "duplicated",
    "recovered", "within s", "forgotten",
)  # fmt: skip


@dataclass
class Figures:
    """What each fault came to: its strikes and its verdict, in the order of the tests."""

    rows: dict[str, tuple[int, Verdict]] = field(default_factory=dict)

    def add(self, fault: str, strikes: int, verdict: Verdict) -> None:
        """Note a trial; those of one fault are added up."""
        before, sum_before = self.rows.get(fault, (0, Verdict()))
        self.rows[fault] = before + strikes, sum_before + verdict

    def cells(self) -> list[tuple[str, ...]]:
        """The table's rows, its head first."""
        return [HEAD, *(_cells(fault, *row) for fault, row in self.rows.items())]

    def table(self) -> Iterator[str]:
        """The lines of a table."""
        rows = self.cells()
        widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
        for fault, *numbers in rows:
            cells = [fault.ljust(widths[0])]
            cells += [one.rjust(width) for one, width in zip(numbers, widths[1:], strict=True)]
            yield "  ".join(cells)


def _cells(fault: str, strikes: int, verdict: Verdict) -> tuple[str, ...]:
    counts = (
        strikes, verdict.attempted, verdict.acknowledged, verdict.ok, len(verdict.lost),
        len(verdict.unexpected), len(verdict.duplicated), verdict.recovered,
    )  # fmt: skip
    within = f"{verdict.within:.1f}" if verdict.within else "-"
    return fault, *map(str, counts), within, str(len(verdict.forgotten) or "-")
