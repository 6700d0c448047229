"""Seeds on the server of the whole run."""

import pytest
from tests.simulation.stage import Stage

from msgqueue.connection import Source


@pytest.fixture
def stage(source: Source) -> Stage:
    return Stage(source)
