"""One crew a test, on an empty database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.worker import app
from tests.worker.crew import Crew
from tests.worker.deployment import Deployment

from msgqueue.connection import Source
from msgqueue.worker.calls import Calls


@pytest.fixture
def crew(url: str, tmp_path: Path) -> Iterator[Crew]:
    """Tasks, their Redis, and supervisors that end with the test."""
    source = Source(url)
    with app.queue._runner.diverted(source):
        crew = Crew(url, tmp_path / "notes")
        yield crew
        crew.close()
    source.close()


@pytest.fixture
def calls(source: Source) -> Iterator[Calls]:
    """The calls of a supervisor."""
    calls = Calls(source)
    yield calls
    calls.close()


@pytest.fixture
def rq(url: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of plain rq, whose workers end with the test."""
    deployment = Deployment(url, tmp_path / "notes")
    yield deployment
    deployment.close()
