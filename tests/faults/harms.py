"""What becomes of a Redis for a while, and what ends it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.faults.servers import Server

PAUSE: Final = 5.5  # seconds, longer than a client waits for an answer


@contextmanager
def restarted(server: Server) -> Iterator[None]:
    """It is ended in good order, and started again."""
    server.end(signal.SIGTERM)
    yield
    server.start()


@contextmanager
def killed(server: Server) -> Iterator[None]:
    """It is killed, and started again."""
    server.end()
    yield
    server.start()


@contextmanager
def reading_back(server: Server) -> Iterator[None]:
    """It takes its time to load what it knew; it answers after every 1024 commands."""
    with server.client() as client, client.pipeline(transaction=False) as pipeline:
        for _ in range(5000):
            pipeline.incr("filler")
        pipeline.delete("filler").execute()
    server.end()
    server.launch()
    server.wait_until("loading")
    yield
    server.wait_until("master")


@contextmanager
def pausing(server: Server) -> Iterator[None]:
    """It takes commands, and answers none for so many seconds; nobody can end that earlier."""
    with server.client() as client:
        client.execute_command("CLIENT", "PAUSE", int(PAUSE * 1000), "ALL")
    yield


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """It is the replica of a primary that does not exist, and keeps its data."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def full(server: Server) -> Iterator[None]:
    """It has no memory left."""
    with server.client() as client:
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", 0)


@contextmanager
def forgetting_scripts(server: Server) -> Iterator[None]:
    """It forgets all scripts."""
    with server.client() as client:
        client.script_flush()
        yield
        client.script_flush()
