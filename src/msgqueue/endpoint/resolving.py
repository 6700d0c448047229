"""A Redis whose place is asked for: at the first connection, and when nobody answers there."""

import asyncio
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio

from msgqueue.endpoint.description import SOCKET_TIMEOUT, Endpoint
from msgqueue.endpoint.url import from_url
from msgqueue.errors import ConfigurationError, MsgqueueError


class Resolver:
    """Asks once where Redis is, and again when nothing listens there."""

    def __init__(self, resolve: Callable[[], str], attempt: Callable[[], str]) -> None:
        self._resolve, self._attempt = resolve, attempt
        self._pinned = False
        self.found: Endpoint | None = None

    def __call__(self) -> Endpoint:
        """What was found; asked for where nothing was yet."""
        return self.found or self.again()

    def again(self) -> Endpoint:
        """Ask. A failure after the first time counts as a failed connection."""
        if self.found is None:
            self.found = self._ask()
        elif not self._pinned:
            try:
                self.found = self._ask()
            except MsgqueueError as error:
                raise redis.ConnectionError(str(error)) from error
        return self.found

    def pin(self) -> None:
        """Ask no more once it was found."""
        self._pinned = True

    def never_wait(self) -> None:
        """Ask without waiting."""
        self._resolve = self._attempt

    def _ask(self) -> Endpoint:
        found = from_url(self._resolve())
        if "path" not in found.options:
            raise ConfigurationError(
                f"resolve= returned {found.address}: it has to return a unix:// url"
            )
        return found


def resolving(resolver: Resolver) -> Endpoint:
    """The Redis that the resolver names, whenever a connection is made."""
    options = {
        "resolver": resolver,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": SOCKET_TIMEOUT,
    }
    return Endpoint("the embedded server", _Connection, _AsyncConnection, options)


class _Connection(redis.UnixDomainSocketConnection):
    """Connects to what the resolver names, and asks it once more when nobody answers there."""

    host, port = "", 0  # redis-py 8 asks for them where a socket times out

    def __init__(self, *, resolver: Resolver, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call] # redis-py gives it no hints
        self._resolver = resolver

    def connect_check_health(self, *args: Any, **kwargs: Any) -> None:
        """The one door of redis-py through which every way of connecting goes."""
        if self._sock is None:
            self.path = self._resolver().options["path"]
            try:
                super().connect_check_health(*args, **kwargs)
            except redis.ConnectionError:
                self.path = self._resolver.again().options["path"]
                super().connect_check_health(*args, **kwargs)


class _AsyncConnection(redis.asyncio.UnixDomainSocketConnection):
    """`_Connection` for asyncio: the resolver may block, so it runs in a thread."""

    host, port = "", 0  # redis-py 8 asks for them where a socket times out

    def __init__(self, *, resolver: Resolver, **options: Any) -> None:
        super().__init__(**options)
        self._resolver = resolver

    async def connect_check_health(self, *args: Any, **kwargs: Any) -> None:
        """As in `_Connection`."""
        if self.is_connected:
            return
        found = self._resolver.found
        if found is None:
            found = await asyncio.to_thread(self._resolver)
        self.path = found.options["path"]
        try:
            await super().connect_check_health(*args, **kwargs)
        except redis.ConnectionError:
            self.path = (await asyncio.to_thread(self._resolver.again)).options["path"]
            await super().connect_check_health(*args, **kwargs)
