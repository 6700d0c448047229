"""A worker outlives anything that Redis does."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rq import Worker
from tests.conftest import ServerAt
from tests.worker import app
from tests.worker.crew import Crew

from msgqueue import JobFailed
from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer, binary
from msgqueue.embedded.home import Home
from msgqueue.embedded.process import State, probe

Eventually = Callable[..., None]


@pytest.fixture
def server_of_its_own(server_at: ServerAt, short_path: Path) -> EmbeddedServer:
    return server_at(short_path / "home")


@pytest.fixture
def lone_crew(server_of_its_own: EmbeddedServer, tmp_path: Path) -> Iterator[Crew]:
    """A crew whose Redis a test may kill."""
    source = Source(server_of_its_own.url)
    with app.queue._runner.diverted(source):
        crew = Crew(server_of_its_own.url, tmp_path / "notes")
        yield crew
        crew.close()
    source.close()


def kill(server: EmbeddedServer) -> None:
    """End a server as a crash does."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


def test_jobs_that_end_while_redis_is_away_are_reported_when_it_is_back(
    lone_crew: Crew, server_of_its_own: EmbeddedServer, eventually: Eventually
) -> None:
    supervisor = lone_crew.start(processes=2)
    jobs = [lone_crew.enqueue("sleep", 1.5, f"{number}") for number in range(2)]
    eventually(lambda: len(lone_crew.noted()) == 2)
    time.sleep(1.1)  # until the append-only file has it
    children = supervisor.children()

    kill(server_of_its_own)
    time.sleep(2)
    server_of_its_own.ensure()

    for job in jobs:
        assert job.result(timeout=10) == 1.5
    assert sorted(lone_crew.noted()) == ["0", "1"]
    assert supervisor.children() == children


def test_an_idle_worker_takes_up_work_after_redis_was_restarted(
    lone_crew: Crew, server_of_its_own: EmbeddedServer
) -> None:
    lone_crew.start(processes=1)
    lone_crew.enqueue("add", 1, 1).result(timeout=5)

    for _ in range(3):
        kill(server_of_its_own)
        server_of_its_own.ensure()
        assert lone_crew.enqueue("add", 1, 1).result(timeout=10) == 2


def test_a_time_limit_holds_while_redis_hangs(
    lone_crew: Crew, server_of_its_own: EmbeddedServer, eventually: Eventually
) -> None:
    supervisor = lone_crew.start(processes=1)
    lone_crew.enqueue("loop_in_c")
    eventually(lambda: lone_crew.running("loop_in_c"))
    (child,) = supervisor.children()
    pid = server_of_its_own.pid
    assert pid is not None

    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: child not in supervisor.children(), 3.0)
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_time_limit_holds_while_the_embedded_server_reads_its_file_back(
    short_path: Path, tmp_path: Path, eventually: Eventually
) -> None:
    home, slow = short_path / "home", short_path / "slow"
    executable = short_path / "server"
    executable.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || [ ! -e {slow} ] || sleep 6\n'
        f'exec {binary.find(None)} "$@"\n'
    )
    executable.chmod(0o700)
    source = Source(Home(home).url)
    with app.queue._runner.diverted(source), closing(Crew(source.url, tmp_path / "notes")) as crew:
        supervisor = crew.start(
            {"MSGQUEUE_REDIS_URL": "", "MSGQUEUE_HOME": f"{home}",
             "MSGQUEUE_REDIS_SERVER": f"{executable}"}, processes=1,
        )  # fmt: skip
        eventually(lambda: home.exists() and probe(Home(home).socket) is State.READY)
        eventually(lambda: Worker.all(connection=crew.redis))
        child = Worker.all(connection=crew.redis)[0].pid
        job = crew.enqueue("loop_in_c")
        eventually(lambda: crew.running("loop_in_c"))
        time.sleep(1.1)  # until the append-only file has it
        slow.touch()

        os.kill(Home(home).server_pid() or 0, signal.SIGKILL)

        eventually(lambda: child not in supervisor.children(), 3.0)
        eventually(lambda: probe(Home(home).socket) is State.READY)
        with pytest.raises(JobFailed, match="JobTimeout"):
            job.result(timeout=20)
    source.close()
