"""Every promise of the documentation is held by tests that exist."""

import ast
import re
from pathlib import Path

import pytest

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
