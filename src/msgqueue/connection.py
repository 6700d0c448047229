"""Connections to one Redis for every part of msgqueue: sync, asyncio and dedicated ones."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import redis
import redis.asyncio
from redis.connection import AbstractConnection

from msgqueue.endpoint import SOCKET_TIMEOUT, Endpoint, from_client, from_url
from msgqueue.endpoint.resolving import Resolver, resolving
from msgqueue.endpoint.sentinel import disconnect, disconnect_async
from msgqueue.errors import ConfigurationError
from msgqueue.settings import Settings


class Source:
    """Where connections come from. Constructing it does no I/O; connections are made at first use.

    None of its clients ever sends a command twice by itself, and all answer in bytes. It may be
    shared by threads, by event loops and with forked children, which get connections of their own.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `rediss+sentinel://`.
        client: a `redis.Redis` that exists; what it reaches is reached over connections of our own.
        settings: gives the password where the url names none.
        resolve: instead of a url, what names it at first use, and again whenever nothing
            listens there any more; returns a `unix://` url. May block; never runs in an event loop.
        attempt: the same without waiting for what starts, for a process that `never_waits`.

    Raises:
        ConfigurationError: the url or client cannot be used, or not exactly one way was given.
    """

    def __init__(
        self,
        url: str | None = None,
        client: redis.Redis | None = None,
        settings: Settings | None = None,
        *,
        resolve: Callable[[], str] | None = None,
        attempt: Callable[[], str] | None = None,
    ) -> None:
        if sum(way is not None for way in (url, client, resolve)) != 1:
            raise ConfigurationError("a Source is made of exactly one of url, client and resolve")
        self._resolver: Resolver | None = None
        if url is not None:
            self._endpoint = _of_url(url, settings or Settings())
        elif client is not None:
            self._endpoint = from_client(client)
        elif resolve is not None:
            self._resolver = Resolver(resolve, attempt or resolve)
            self._endpoint = resolving(self._resolver)
        self._pool = self._endpoint.pool()
        self._client = redis.Redis(connection_pool=self._pool)
        self._of_loop: dict[asyncio.AbstractEventLoop, _OfLoop] = {}

    @property
    def address(self) -> str:
        """What it reaches, without credentials: for messages and logs."""
        found = self._resolver.found if self._resolver else None
        return (found or self._endpoint).address

    @property
    def url(self) -> str:
        """The whole url, credentials included: for another process, never for a log.

        Raises:
            ConfigurationError: a client was given that no url can describe.
        """
        return (self._resolver() if self._resolver else self._endpoint).url()

    def client(self) -> redis.Redis:
        """The client for synchronous code, with a pool that threads may share."""
        return self._client

    def async_client(self) -> redis.asyncio.Redis:
        """The client of the running event loop; its connections end with the loop at the latest."""
        loop = asyncio.get_running_loop()
        if loop not in self._of_loop:
            for ended in [other for other in self._of_loop.copy() if other.is_closed()]:
                self._of_loop.pop(ended, None)
            self._of_loop[loop] = _OfLoop(self._endpoint.async_pool())
        return self._of_loop[loop].client

    def connection(
        self,
        *,
        timeout: float | None = SOCKET_TIMEOUT,
        connect_timeout: float | None = None,
        protocol: int = 2,
    ) -> AbstractConnection:
        """A new connection outside of any pool: connects at first use; the caller disconnects it.

        Args:
            timeout: seconds to wait for an answer; None waits for ever, as blocking reads need.
            connect_timeout: seconds to wait for the connection; None is as the url says.
            protocol: 3 where push messages are to come over this connection.
        """
        options: dict[str, Any] = dict(self._pool.connection_kwargs)
        options |= {"socket_timeout": timeout, "protocol": protocol}
        if connect_timeout is not None:
            options["socket_connect_timeout"] = connect_timeout
        connection: AbstractConnection = self._pool.connection_class(**options)
        return connection

    def pin(self) -> None:
        """Never resolve again: children that run jobs must not become a server's owner."""
        if self._resolver:
            self._resolver.pin()

    def never_wait(self) -> None:
        """A server that starts counts as away now: for a loop that must not stand still."""
        if self._resolver:
            self._resolver.never_wait()

    def close(self) -> None:
        """Close the synchronous connections; a later use opens new ones."""
        disconnect(self._pool)

    async def aclose(self) -> None:
        """Close the connections of the running event loop and the synchronous ones."""
        ours = self._of_loop.pop(asyncio.get_running_loop(), None)
        if ours is not None:
            await ours.aclose()
        self.close()

    def __repr__(self) -> str:
        return f"Source({self.address})"


def _of_url(url: str, settings: Settings) -> Endpoint:
    told_as = "MSGQUEUE_REDIS_URL" if url == settings.redis_url else "the Redis url"
    return from_url(url, settings.redis_password, told_as)


class _OfLoop:
    """The client of one event loop.

    Its connections are closed when `asyncio.run` or a server closes the loop: a loop has no hook
    for that, but closes the async generators that were begun in it.
    """

    def __init__(self, pool: redis.asyncio.ConnectionPool) -> None:
        self.client = redis.asyncio.Redis(connection_pool=pool)
        self._life = self._until_closed()
        with suppress(StopIteration):  # it stands at its `yield`
            self._life.asend(None).send(None)

    async def aclose(self) -> None:
        await self._life.aclose()

    async def _until_closed(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await disconnect_async(self.client.connection_pool)
