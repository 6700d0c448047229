"""Puts the figures of a run into the documentation."""

from pathlib import Path

from benchmarks import report
from benchmarks.environments import ROOT
from benchmarks.measurements.drain import RATE
from benchmarks.plot import as_svg
from benchmarks.record import Record

PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
PLOT = PAGE.with_suffix(".svg")
BEGIN, END = "<!-- figures: written by nox -s bench -- --docs -->\n", "<!-- end of figures -->\n"


def write(record: Record, page: Path = PAGE, plot: Path = PLOT) -> None:
    """Replace the plot, and the part of the page between the two marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{_figures(record)}{END}{after}")
    plot.write_text(as_svg(record, RATE))


def _figures(record: Record) -> str:
    conditions = "".join(f"- {value}\n" for value in record.conditions.values())
    notes = "".join(f"- {note}\n" for note in report.notes(record))
    image = f"![{RATE.title}]({PLOT.name})\n"
    summary = report.as_markdown(report.summary(record))
    details = "\n".join(report.as_markdown(lines) for lines in report.details(record))
    return (
        f"\n{image}\n{conditions}\n### Beside the best\n\n{summary}\n"
        f"### Everybody's figures\n\n{details}\n{notes}\n"
    )
