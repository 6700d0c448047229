"""The one server that all contenders are measured on, in a folder that goes away with it."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import redis

START_WITHIN = 10.0
PAGE = 1000


class Persistence(StrEnum):
    """What the server writes to disk."""

    NONE = "none"
    AOF = "aof"


@dataclass(frozen=True)
class Traffic:
    """Counts since the start.

    Attributes:
        reads: from clients: round trips, where each waits for its answer.
        commands: those inside scripts too.
    """

    reads: int
    commands: int


@dataclass(frozen=True)
class Server:
    """A running server; looking at it costs a command of its own each time."""

    url: str
    client: redis.Redis

    def name(self) -> str:
        """Its kind and version."""
        info = self.client.info("server")
        name = str(info.get("server_name", "redis"))
        return f"{name.capitalize()} {info.get(f'{name}_version', info['redis_version'])}"

    def clear(self) -> None:
        """Empty it; the scripts stay loaded."""
        self.client.flushall()

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        info = self.client.info("cpu")
        return float(info["used_cpu_sys"]) + float(info["used_cpu_user"])

    def memory(self) -> int:
        """Bytes that all keys take with their values."""
        total = 0
        pipe = self.client.pipeline(transaction=False)
        for number, key in enumerate(self.client.scan_iter(count=PAGE), 1):
            pipe.memory_usage(key, samples=0)  # every element, not a sample
            if number % PAGE == 0:
                total += sum(pipe.execute())
        return int(total + sum(pipe.execute()))

    def traffic(self) -> "Traffic":
        """What its clients have asked of it; looking adds one to each."""
        info = self.client.info("stats")
        return Traffic(int(info["total_reads_processed"]), int(info["total_commands_processed"]))

    def scripts(self) -> tuple[int, int]:
        """Calls of scripts, and the microseconds that they took."""
        found = self.client.info("commandstats")
        calls = [
            found[f"cmdstat_{name}"] for name in ("eval", "evalsha") if f"cmdstat_{name}" in found
        ]
        return sum(int(call["calls"]) for call in calls), sum(int(call["usec"]) for call in calls)


@contextmanager
def running(executable: str, persistence: Persistence, folder: Path) -> Iterator[Server]:
    """Start it on a free port of the loopback, and end it afterwards."""
    port = _free_port()
    process = subprocess.Popen(
        [
            *(executable, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "yes" if persistence is Persistence.AOF else "no"),
            *("--appendfsync", "everysec", "--logfile", str(folder / "server.log")),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url, socket_timeout=None) as client:
            _wait_for(client)
            yield Server(url, client)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(client: redis.Redis) -> None:
    until = time.monotonic() + START_WITHIN
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
