"""Redis servers of a test's own on loopback, and a way in between that loses replies."""

import os
import random
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import redis

from msgqueue.embedded import binary


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One Redis, Valkey or Sentinel; with the append-only file it comes back with its data."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._folder, self._options = folder, options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A client of its own."""
        return redis.Redis(port=self.port, decode_responses=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [binary.find(None), *self._options, "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--bind", "127.0.0.1"], cwd=self._folder, stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + 10
        while True:
            try:
                if self.client().ping():
                    return
            except redis.ConnectionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash does."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)


def durable(folder: Path) -> Server:
    """One that forgets nothing when it is killed."""
    return Server(folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "")


class LossyWay:
    """Passes bytes on between clients and a server; now and then a reply is lost with its line.

    Attributes:
        loss: of how many replies this share is lost.
        lost: how many were.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self.loss, self.lost, self._cut = 0.0, 0, 0
        self._server, self._random = server, random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def cut(self) -> None:
        """From here on, what is sent over the connections that stand gets lost; none is closed."""
        self._cut += 1

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        cuts = self._cut
        with client, socket.create_connection(("127.0.0.1", self._server.port)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for end in ready:
                    try:
                        data = end.recv(1 << 16)
                        if not data:
                            return
                        if cuts < self._cut:
                            continue
                        if end is server and self._random.random() < self.loss:
                            self.lost += 1
                            return
                        (client if end is server else server).sendall(data)
                    except OSError:
                        return
