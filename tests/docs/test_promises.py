"""Every promise of the documentation is held by tests that exist."""

import ast
import re
from pathlib import Path

import pytest
from tests.faults import page
from tests.faults.figures import Figures
from tests.faults.ledger import Verdict

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "reliability.md"
PROMISE = re.compile(r"^### (\d+)\. .*?(?=^#)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PROMISES = {int(found[1]): TEST.findall(found[0]) for found in PROMISE.finditer(PAGE.read_text())}


def test_there_are_twelve() -> None:
    assert list(PROMISES) == list(range(1, 13))


@pytest.mark.parametrize("number", range(1, 13))
def test_each_is_held_by_a_test_that_exists(number: int) -> None:
    assert PROMISES[number]
    for file, name in PROMISES[number]:
        tree = ast.parse((ROOT / file).read_text())
        functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
        assert name in [each.name for each in functions], f"{file}::{name}"


def test_the_figures_of_a_run_take_the_place_of_former_ones(tmp_path: Path) -> None:
    copy, figures = tmp_path / "page.md", Figures()
    copy.write_text(f"before\n{page.BEGIN}former\n{page.END}after\n")
    figures.add("F1 kill -9 of a child", 3, Verdict())

    page.write(figures, whole=True, seed=7, page=copy)

    text = copy.read_text()
    assert "former" not in text
    assert (text.startswith("before\n"), text.endswith("after\n")) == (True, True)
    assert "| F1 kill -9 of a child | 3 | 0 |" in text
    assert "`nox -s faults`: " in text
    assert "`--fault-seed=7`" in text


def test_the_page_shows_the_figures_of_a_run() -> None:
    figures = PAGE.read_text().partition(page.BEGIN)[2].partition(page.END)[0]

    assert "| F1 kill -9 of a child |" in figures
