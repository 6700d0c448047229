"""Redis servers of a test's own on loopback, which it may kill, freeze and fill."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.faults.append_only import jobs_behind
from tests.patience import wait_until

from msgqueue.embedded import binary

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
EVERY_SECOND = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One Redis, Valkey or Sentinel; with the append-only file it comes back with its data.

    Args:
        folder: for its files; made where it is missing.
        options: of its command line.
        within: a command that runs it, such as `nsenter`, as words.
    """

    def __init__(self, folder: Path, *options: str, within: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.folder, self._options, self._within = folder, options, within
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def client(self) -> redis.Redis:
        """A client of its own, which asks once."""
        once = Retry(NoBackoff(), 0)
        return redis.Redis(port=self.port, decode_responses=True, retry=once)

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.launch()
        self.wait_until("master", "slave", "sentinel")

    def wait_until(self, *roles: str, within: float = 20.0) -> None:
        """Wait until it is one of these, at most so many seconds."""
        wait_until(lambda: self.role() in roles, within, lambda: f"{roles}, still {self.role()}")

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        command = [*self._within, binary.find(None), *self._options, "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--bind", "127.0.0.1", "--dir", str(self.folder)],
            cwd=self.folder.parent,
            stdout=subprocess.DEVNULL,
        )

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, as a crash does or in good order, and wait until it has ended."""
        self.signal(number)
        self.wait()

    def wait(self) -> None:
        """Wait until its process has ended."""
        if self._process is not None:
            self._process.wait(10)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def role(self) -> str:
        """What it is: "master", "slave", "sentinel", "loading", or "away" where nobody answers."""
        try:
            with self.client() as client:
                client.ping()  # ROLE is answered while it loads, too
                return str(client.role()[0])
        except redis.exceptions.BusyLoadingError:
            return "loading"
        except redis.ConnectionError:
            return "away"

    @property
    def written(self) -> int:
        """How many bytes its append-only file has."""
        return self._written_to.stat().st_size

    def forget(self, size: int) -> frozenset[str]:
        """Keep so many bytes of its append-only file; it must have ended.

        Returns:
            The ids of the jobs of which something is forgotten.
        """
        jobs = jobs_behind(self._written_to.read_bytes(), size)
        os.truncate(self._written_to, size)
        return jobs

    @property
    def _written_to(self) -> Path:
        (path,) = self.folder.glob("appendonlydir/*.incr.aof")
        return path
