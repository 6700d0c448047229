"""Whatever Redis does: no worker exits, nothing is lost or doubled, what ended is reported."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rq import Worker
from tests.faults.servers import Server
from tests.redis_faults.conftest import CrewAt
from tests.redis_faults.lossy import LossyWay

from msgqueue import JobFailed, JobStatus
from msgqueue.connection import Source
from msgqueue.embedded import binary
from msgqueue.embedded.home import Home
from msgqueue.embedded.process import State, probe
from msgqueue.store.signals import Wakeup

Eventually = Callable[..., None]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_replies_that_are_lost(
    server: Server, crew_at: CrewAt, eventually: Eventually, seed: int
) -> None:
    way = LossyWay(server, seed)
    crew = crew_at(way.url)
    supervisor = crew.start(processes=2, claim=8)
    eventually(lambda: len(supervisor.children()) == 2)
    children = supervisor.children()

    way.loss = 0.05
    jobs = [crew.enqueue("note", number) for number in range(400)]
    eventually(lambda: len(set(crew.noted())) == 400, 60.0)
    way.loss = 0.0

    for job in jobs:
        job.result(timeout=10)
    assert way.lost > 10
    assert Counter(crew.noted()) == dict.fromkeys(map(str, range(400)), 1)
    assert crew.queue.counts()[JobStatus.FINISHED] == 400
    assert supervisor.children() == children


@pytest.mark.slow
def test_connections_that_die_without_a_word(
    server: Server, crew_at: CrewAt, eventually: Eventually
) -> None:
    way = LossyWay(server, seed=1)
    crew = crew_at(way.url)
    supervisor = crew.start(processes=1)
    crew.enqueue("note", "before").result(timeout=10)
    children = supervisor.children()

    way.cut()

    crew.queue.source.close()
    crew.queue.store.close()
    job = crew.enqueue("note", "after")
    eventually(lambda: "after" in crew.noted(), 20.0)
    assert job.result(timeout=10) is None
    assert crew.noted() == ["before", "after"]
    assert supervisor.children() == children


@pytest.mark.slow
def test_a_worker_that_starts_before_its_redis(server: Server, crew_at: CrewAt) -> None:
    crew = crew_at(server.url)
    server.end()
    supervisor = crew.start(processes=1)
    time.sleep(5)
    server.start()

    assert crew.enqueue("add", 1, 2).result(timeout=15) == 3
    assert supervisor.children()


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_while_redis_is_away(
    server: Server, crew_at: CrewAt, eventually: Eventually
) -> None:
    crew = crew_at(server.url)
    supervisor = crew.start(processes=1, grace=1.0)
    job = crew.enqueue("sleep", 2.0, "began")
    eventually(lambda: crew.noted() == ["began"])

    server.end()
    supervisor.signal(signal.SIGTERM)
    supervisor.wait(15)
    server.start()
    crew.start(processes=1)

    assert job.result(timeout=25) == 2.0
    assert crew.noted() == ["began"] * 2


@pytest.mark.slow
def test_a_time_limit_holds_while_the_embedded_server_reads_its_file_back(
    crew_at: CrewAt, short_path: Path, eventually: Eventually
) -> None:
    home, slow = short_path / "home", short_path / "slow"
    executable = short_path / "server"
    executable.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || [ ! -e {slow} ] || sleep 6\n'
        f'exec {binary.find(None)} "$@"\n'
    )
    executable.chmod(0o700)
    crew = crew_at(Home(home).url)
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


@pytest.mark.slow
def test_a_supervisor_that_is_killed_every_five_seconds_starves_no_job(
    server: Server, crew_at: CrewAt, eventually: Eventually
) -> None:
    crew = crew_at(server.url)
    supervisor = crew.start(processes=1)
    job = crew.enqueue("sleep", 1.0, "began")
    eventually(lambda: "began" in crew.noted())

    until = time.monotonic() + 17
    while time.monotonic() < until:
        for pid in (supervisor.pid, *supervisor.children()):
            os.kill(pid, signal.SIGKILL)
        supervisor = crew.start(processes=1)
        time.sleep(5)
        if job.refresh().status is JobStatus.FINISHED:
            break

    assert job.refresh().status is JobStatus.FINISHED
    assert crew.noted() == ["began"] * 2


@pytest.mark.slow
def test_what_hears_changes_notices_that_its_line_was_cut(
    server: Server, eventually: Eventually
) -> None:
    way = LossyWay(server, seed=1)
    source = Source(way.url)
    wakeup = Wakeup(source, ["default"])
    assert wakeup.connect()
    way.cut()

    def given_up() -> bool:
        wakeup.arm()
        return not wakeup.connected

    eventually(given_up, 6.0)
    assert wakeup.connect()
    wakeup.arm()
    server.client().rpush("rq:queue:default", "a")
    eventually(wakeup.read)
    wakeup.close()
    source.close()
