"""The one table: a line for each figure, a column for each contender."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from benchmarks.measurements import Figure, Measurement
from benchmarks.record import Record

K = TypeVar("K")

NONE = "-"
RATIOS = "times best Python peer", "times best rq", "times best of Node and Ruby"
"""How many times better ours is; below 1 it is worse."""


def lines(record: Record) -> list[list[str]]:
    """The table as text, headings first."""
    head = ["", *record.columns, *RATIOS]
    body = [
        [
            figure.title,
            *(_cell(record, column, measurement, figure) for column in record.columns),
            _ratio(record, figure, record.best_peer(figure)),
            _ratio(record, figure, record.best_rq(figure)),
            _ratio(record, figure, record.best_foreign(figure)),
        ]
        for measurement in record.measurements
        for figure in measurement.figures
    ]
    return [head, *(row for row in body if set(row[1:]) != {NONE})]


def show(record: Record, console: Console) -> None:
    """Print the table and what it does not say."""
    console.print(as_table(record))
    for note in notes(record):
        console.print(note)


def as_table(record: Record) -> Table:
    """For a terminal."""
    head, *body = lines(record)
    table = Table(caption=", ".join(record.conditions.values()))
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", no_wrap=not number)
    for row in body:
        table.add_row(*row)
    return table


def as_markdown(record: Record) -> str:
    """For the documentation."""
    head, *body = lines(record)
    rows = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def notes(record: Record) -> list[str]:
    """What the table does not say: what each keeps, the versions, who is absent, and who failed."""
    kept = _grouped((what, name) for name, what in record.keeps.items())
    failed = _grouped(((name, why), what) for (name, what), why in record.faults.items())
    versions = (f"{name} ({', '.join(found)})" for name, found in record.versions.items())
    return [
        *(f"of a finished job, {what}: {names}" for what, names in kept.items()),
        f"versions: {', '.join(versions)}",
        *(f"{environment.name} is left out: {why}" for environment, why in record.absent.items()),
        *(f"{name}, {what}: {why}" for (name, why), what in failed.items()),
        *([] if record.complete else ["interrupted: some were measured less often, or not at all"]),
    ]


def _grouped(pairs: Iterable[tuple[K, str]]) -> dict[K, str]:
    """The words of each key, with commas between them."""
    found: dict[K, list[str]] = {}
    for key, word in pairs:
        found.setdefault(key, []).append(word)
    return {key: ", ".join(words) for key, words in found.items()}


def _cell(record: Record, column: str, measurement: Measurement, figure: Figure) -> str:
    middle = record.middle(column, figure)
    if middle is not None:
        return f"{middle:,.{figure.digits}f}"
    return "failed" if (column, measurement.name) in record.faults else NONE


def _ratio(record: Record, figure: Figure, other: float | None) -> str:
    times = record.times(figure, other)
    return NONE if times is None else f"{times:,.2f}"
