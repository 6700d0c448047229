"""The one table: a line for each figure, a column for each contender."""

from rich.console import Console
from rich.table import Table

from benchmarks.measurements import Figure, Measurement
from benchmarks.record import Record

NONE = "-"
RATIOS = "times best peer", "times best rq"
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
        ]
        for measurement in record.measurements
        for figure in measurement.figures
    ]
    return [head, *body]


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
    """What the table does not say: what each keeps, and who failed."""
    by_what: dict[str, list[str]] = {}
    for name, what in record.keeps.items():
        by_what.setdefault(what, []).append(name)
    kept = [f"of a finished job, {what}: {', '.join(names)}" for what, names in by_what.items()]
    failed = [f"{name}, {what}: {fault}" for (name, what), fault in record.faults.items()]
    return [*kept, *failed]


def _cell(record: Record, column: str, measurement: Measurement, figure: Figure) -> str:
    middle = record.middle(column, figure)
    if middle is not None:
        return f"{middle:,.{figure.digits}f}"
    return "failed" if (column, measurement.name) in record.faults else NONE


def _ratio(record: Record, figure: Figure, other: float | None) -> str:
    times = record.times(figure, other)
    return NONE if times is None else f"{times:,.2f}"
