"""A worker outlives anything that Redis does."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from rq import Worker
from tests.conftest import Eventually, ServerAt
from tests.worker import app
from tests.worker.crew import Crew, Process

from msgqueue import JobFailed
from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer, binary
from msgqueue.embedded.home import Home
from msgqueue.embedded.process import State, probe


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


def make_safe(client: redis.Redis) -> None:
    """Wait until the append-only file has all that was written until here."""
    with client.pipeline(transaction=False) as pipeline:  # WAITAOF asks for its own connection
        pipeline.set("barrier", "", px=1)
        pipeline.waitaof(1, 0, 10_000)
        assert pipeline.execute()[1] == [1, 0]


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
    make_safe(lone_crew.redis)
    children = supervisor.children()

    kill(server_of_its_own)
    time.sleep(2)  # both jobs end meanwhile
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


class Faulty:
    """A crew whose supervisor starts an embedded server that has its faults.

    Attributes:
        broken: while this file is there, the server does not start well.
        starts: a line for each start.
    """

    def __init__(self, folder: Path, fault: str, eventually: Eventually) -> None:
        self.home, self.broken, self.starts = folder / "home", folder / "broken", folder / "starts"
        self._eventually = eventually
        executable = folder / "server"
        executable.write_text(
            f'#!/bin/sh\nif [ "$1" != --version ]; then echo start >> {self.starts}\n'
            f'[ ! -e {self.broken} ] || {fault}\nfi\nexec {binary.find(None)} "$@"\n'
        )
        executable.chmod(0o700)
        self._environment = {
            "MSGQUEUE_REDIS_URL": "",
            "MSGQUEUE_HOME": f"{self.home}",
            "MSGQUEUE_REDIS_SERVER": f"{executable}",
        }
        self._source = Source(Home(self.home).url)
        self.crew = Crew(self._source.url, folder / "notes")

    @contextmanager
    def at_work(self) -> Iterator[Process]:
        """Its supervisor, once the server serves and a child is known."""
        with app.queue._runner.diverted(self._source):
            supervisor = self.crew.start(self._environment, processes=1)
            self._eventually(lambda: self.home.exists() and self.serves())
            self._eventually(lambda: Worker.all(connection=self.crew.redis))
            yield supervisor
            self.crew.close()
        self._source.close()

    def serves(self) -> bool:
        """Whether the server answers."""
        return probe(Home(self.home).socket) is State.READY

    def crash(self) -> None:
        """Kill the server; it has its fault from here on."""
        make_safe(self.crew.redis)
        self.broken.touch()
        os.kill(Home(self.home).server_pid() or 0, signal.SIGKILL)


@pytest.mark.slow
def test_a_time_limit_holds_while_the_embedded_server_reads_its_file_back(
    short_path: Path, eventually: Eventually
) -> None:
    faulty = Faulty(short_path, "sleep 6", eventually)
    with faulty.at_work() as supervisor:
        (child,) = [w.pid for w in Worker.all(connection=faulty.crew.redis)]
        job = faulty.crew.enqueue("loop_in_c")
        eventually(lambda: faulty.crew.running("loop_in_c"))

        faulty.crash()

        eventually(lambda: child not in supervisor.children(), 3.0)
        eventually(faulty.serves)
        with pytest.raises(JobFailed, match="JobTimeout"):
            job.result(timeout=20)


@pytest.mark.slow
def test_an_embedded_server_that_cannot_start_is_tried_again_with_pauses(
    short_path: Path, eventually: Eventually
) -> None:
    """Such as on a disk that is full."""
    faulty = Faulty(short_path, "exit 1", eventually)
    with faulty.at_work() as supervisor:
        job = faulty.crew.enqueue("sleep", 2.0, "began")
        eventually(lambda: faulty.crew.noted() == ["began"])

        faulty.crash()
        time.sleep(5)  # how often it is tried in that time is the question
        starts = len(faulty.starts.read_text().splitlines())
        faulty.broken.unlink()

        assert job.result(timeout=15) == 2.0
        assert faulty.crew.noted() == ["began"]
        assert 3 < starts < 25
        assert supervisor.alive
