"""A crew on a Redis of its own, which the test may kill."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.faults.servers import ALWAYS, Server
from tests.worker import app
from tests.worker.crew import Crew

from msgqueue.connection import Source

CrewAt = Callable[[str], Crew]


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Servers that end with the test."""
    started: list[Server] = []
    yield started
    for server in started:
        server.end()


@pytest.fixture
def server(servers: list[Server], short_path: Path) -> Server:
    """One that forgets nothing."""
    servers.append(Server(short_path / "server", *ALWAYS))
    return servers[-1]


@pytest.fixture
def crew_at(tmp_path: Path) -> Iterator[CrewAt]:
    """`crew_at(url)`: tasks, and supervisors that end with the test."""
    with ExitStack() as stack:

        def make(url: str) -> Crew:
            source = Source(url)
            stack.callback(source.close)
            stack.enter_context(app.queue._runner.diverted(source))
            crew = Crew(url, tmp_path / "notes")
            stack.callback(crew.close)
            return crew

        yield make
