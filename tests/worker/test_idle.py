"""What a worker costs that has nothing to do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from tests.conftest import Eventually

SHOP = """
from msgqueue import TaskQueue

queue = TaskQueue(queues=("high", "default", "low"))

@queue.task
def charge(order: int) -> int:
    return order
"""


class Idle:
    """A worker with so many processes, started as users do."""

    def __init__(self, folder: Path, url: str, processes: int) -> None:
        (folder / "shop.py").write_text(SHOP)
        command = [sys.executable, "-m", "msgqueue.cli", "worker", "shop:queue"]
        self._process = subprocess.Popen(
            [*command, "--processes", str(processes)],
            cwd=folder,
            env={**os.environ, "MSGQUEUE_REDIS_URL": url},
        )

    def pids(self) -> list[int]:
        """Its own and its children's."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def memory(self) -> float:
        """The proportional set size of all of it, in MiB."""
        return sum(map(proportional, self.pids()))

    def end(self) -> None:
        self._process.terminate()  # where it has ended, nothing happens
        assert self._process.wait(20) == 0


def proportional(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def idle(client: redis.Redis, processes: int) -> bool:
    names = client.smembers("rq:workers")
    return len(names) == processes and all(
        client.hget(name, "mq_seq") not in (None, b"0") for name in names
    )


Start = Callable[[int], Idle]


@pytest.fixture
def start(tmp_path: Path, url: str, client: redis.Redis, eventually: Eventually) -> Iterator[Start]:
    started: list[Idle] = []

    def begin(processes: int) -> Idle:
        started.append(Idle(tmp_path, url, processes))
        eventually(lambda: idle(client, processes))
        return started[-1]

    yield begin
    for one in started:
        one.end()


def test_a_worker_and_its_children_take_little_memory(start: Start) -> None:
    worker = start(1)
    alone = worker.memory()
    worker.end()

    assert alone <= 50
    assert start(5).memory() - alone <= 4 * 15


@pytest.mark.slow
def test_an_idle_worker_sends_few_commands(start: Start, client: redis.Redis) -> None:
    start(2)
    seconds, sent = 10.0, []
    with client.monitor() as monitor:
        until = time.monotonic() + seconds
        while time.monotonic() < until:  # something comes each second
            command = monitor.next_command()
            if command["client_type"] != "lua":
                sent.append(command["command"][:20])

    assert len(sent) <= 5 * seconds, sent
