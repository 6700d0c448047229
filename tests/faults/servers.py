"""Redis servers of a test's own on loopback, which it may kill, freeze and fill."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

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
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def client(self) -> redis.Redis:
        """A client of its own."""
        return redis.Redis(port=self.port, decode_responses=True)

    def start(self, within: float = 10.0) -> None:
        """Start it, and wait until it serves."""
        self.launch()
        until = time.monotonic() + within
        while True:
            try:
                with self.client() as client:
                    client.ping()
                    return
            except redis.ConnectionError:  # also while it loads
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

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
        """What it is among its replicas: "master", "slave" or, where it does not answer, "away"."""
        try:
            with self.client() as client:
                return str(client.role()[0])
        except redis.ConnectionError:
            return "away"
