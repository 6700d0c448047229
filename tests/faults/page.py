"""Puts the figures of a session into the documentation."""

import os
import platform
from pathlib import Path

from tests.faults.figures import Figures

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "reliability.md"
BEGIN, END = "<!-- figures: written by nox -s faults -- --docs -->\n", "<!-- end of figures -->\n"


def write(figures: Figures, whole: bool, seed: int, page: Path = PAGE) -> None:
    """Replace the part of the page between the two marks.

    Args:
        figures: what the faults came to.
        whole: whether all of them were run, at their full size.
        seed: repeats their choices.
        page: the page.
    """
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    what = "`nox -s faults`" if whole else "The short faults, which run with the tests"
    how = f"{os.cpu_count()} cores, Python {platform.python_version()}, `--fault-seed={seed}`"
    page.write_text(f"{before}{BEGIN}\n{what}: {how}.\n\n{_table(figures)}\n{END}{after}")


def _table(figures: Figures) -> str:
    head, *rows = figures.cells()
    rule = ("---", *("---:" for _ in head[1:]))
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))
