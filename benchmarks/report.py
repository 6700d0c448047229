"""What a run found: ours beside the best of the others, then everybody's figures."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.measurements import Figure, Measurement
from benchmarks.record import Among, Record, any_rq, foreign, python_peer

K = TypeVar("K")
Lines = list[list[str]]
"""A table as text, headings first."""

NONE = "-"
OURS = "msgqueue"
OTHERS: Mapping[str, Among] = {
    "best Python peer": python_peer,
    "best rq": any_rq,
    "best of Node and Ruby": foreign,
}


def summary(record: Record) -> Lines:
    """A line for each figure: ours, and for each kind of others who is best in it.

    In brackets: how many times better ours is; below 1 it is worse.
    """
    body = [
        [
            figure.title,
            _cell(record, OURS, measurement, figure),
            *(_beside(record, figure, among) for among in OTHERS.values()),
        ]
        for measurement in record.measurements
        for figure in measurement.figures
    ]
    return [["", OURS, *OTHERS], *(row for row in body if set(row[1:]) != {NONE})]


def details(record: Record) -> Iterator[Lines]:
    """For each measurement: a line for everybody in it, unless it is ours alone."""
    for measurement in record.measurements:
        figures = measurement.figures
        rows = [
            [column, *(_cell(record, column, measurement, figure) for figure in figures)]
            for column in record.columns
        ]
        there = [row for row in rows if set(row[1:]) != {NONE}]
        if {row[0] for row in there} - {OURS}:
            yield [["", *(figure.title for figure in figures)], *there]


def notes(record: Record) -> list[str]:
    """What the tables do not say: what each keeps, the versions, who is absent, and who failed."""
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


def show(record: Record, console: Console) -> None:
    """Print all of it."""
    for lines in (*details(record), summary(record)):
        if lines[1:]:
            console.print(_as_table(lines))
    for note in (*record.conditions.values(), *notes(record)):
        console.print(note, markup=False, highlight=False)


def as_markdown(lines: Lines) -> str:
    """For the documentation."""
    head, *body = lines
    rows = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _as_table(lines: Lines) -> Table:
    head, *body = lines
    table = Table(box=SIMPLE)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", no_wrap=not number)
    for row in body:
        table.add_row(*row)
    return table


def _cell(record: Record, column: str, measurement: Measurement, figure: Figure) -> str:
    middle = record.middle(column, figure)
    if middle is not None:
        return _number(middle, figure)
    return "failed" if (column, measurement.name) in record.faults else NONE


def _beside(record: Record, figure: Figure, among: Among) -> str:
    best, times = record.best(figure, among), record.times(figure, among)
    if best is None:
        return NONE
    name, value = best
    said = f"{_number(value, figure)} {name}"
    return said if times is None else f"{said} ({times:,.2f}x)"


def _number(value: float, figure: Figure) -> str:
    return f"{value:,.{figure.digits}f}"


def _grouped(pairs: Iterable[tuple[K, str]]) -> dict[K, str]:
    """The words of each key, with commas between them."""
    found: dict[K, list[str]] = {}
    for key, word in pairs:
        found.setdefault(key, []).append(word)
    return {key: ", ".join(words) for key, words in found.items()}
