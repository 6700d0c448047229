"""The long profile, and how a run of it is repeated."""

import pytest
from hypothesis import settings
from tests.fuzz.effort import LONG


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell the seed of a long run."""
    seed = config.getoption("--hypothesis-seed", None)
    if settings.get_current_profile_name() == LONG and seed is not None:
        terminalreporter.section("fuzz")
        terminalreporter.write_line(f"the same again: nox -s fuzz -- --hypothesis-seed={seed}")
