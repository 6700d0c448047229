"""Connections over TCP that keep their time limit though the name of their host is not resolved."""

import _thread
import queue
import socket
from collections.abc import Iterator
from typing import Any

import redis


def addresses(host: str, port: int, within: float | None) -> Iterator[str]:
    """What a name stands for, each address once.

    The system's resolver knows no time limit, and asks for half a minute and longer where its
    servers are silent. So a thread asks it; one that is not answered is left to its own end.

    Args:
        host: a name, or an address.
        port: to which somebody will connect.
        within: seconds; None waits for as long as the resolver does.

    Raises:
        TimeoutError: there was no answer by then.
        OSError: there is no such name, or cannot be.
    """
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            answers.put(error)
        except UnicodeError as error:
            answers.put(OSError(f"{host} cannot be a name: {error}"))

    if within is None or _is_address(host):
        ask()
    else:
        _thread.start_new_thread(ask, ())  # no thread of the app's, whoever looks for such
    try:
        answer = answers.get(timeout=within)
    except queue.Empty:
        raise TimeoutError(f"the name {host} was not resolved within {within:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    return iter(dict.fromkeys(found[4][0] for found in answer))


def _is_address(host: str) -> bool:
    """Whether there is nothing to resolve."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


class Connection(redis.Connection):
    """redis-py's, whose `socket_connect_timeout` bounds the look-up, too."""

    def _connect(self) -> Any:
        name, failed = self.host, OSError(f"the name {self.host} stands for no address")
        try:
            for address in addresses(name, self.port, self.socket_connect_timeout):
                self.host = address
                try:
                    return super()._connect()  # type: ignore[no-untyped-call] # redis-py gives it no hints
                except OSError as error:
                    failed = error
        finally:
            self.host = name
        raise failed


class TLSConnection(redis.SSLConnection, Connection):
    """The same over TLS: the certificate is that of the name."""


def bounded(connection_class: type[Any]) -> type[Any]:
    """The class of ours that does what redis-py's does; another class as it is."""
    ours = {redis.Connection: Connection, redis.SSLConnection: TLSConnection}
    return ours.get(connection_class, connection_class)
