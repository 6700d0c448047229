"""Which tests pytest-xdist (`pytest -n 2`) runs at the same time."""

from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

#: Folders and files of tests that measure, or load the whole machine: never two of these at once.
ONE_AT_A_TIME: Final = {"benchmarks", "faults", "test_chaos.py", "test_idle.py"}


class Lanes(LoadScopeScheduling):  # type: ignore[misc] # mypy does not read xdist
    """One lane runs the tests that may not meet one another; the others share all the rest."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0].split("/")
        return nodeid if ONE_AT_A_TIME.isdisjoint(path) else "one at a time"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    """Have tests spread so."""
    return Lanes(config, log)
