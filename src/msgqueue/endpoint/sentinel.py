"""Pools that ask Redis Sentinel where the primary is, each time that they connect."""

from collections.abc import Mapping, Sequence
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from msgqueue.endpoint import names

Address = tuple[str, int]


class _Connection(SentinelManagedConnection, names.Connection):
    """redis-py asks Sentinel in `connect` alone; a command on a closed connection skips that."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._sock is None:
            self.connect()  # type: ignore[no-untyped-call] # redis-py gives it no hints
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call] # redis-py gives it no hints


class _TLSConnection(_Connection, SentinelManagedSSLConnection, names.TLSConnection):
    """The same over TLS."""


def pool(
    service: str,
    sentinels: Sequence[Address],
    to_sentinels: Mapping[str, Any],
    options: Mapping[str, Any],
) -> redis.ConnectionPool:
    """A pool for the primary of `service`; `options` are those of its connections."""
    tls = issubclass(options["connection_class"], redis.SSLConnection)
    ours = {**options, "connection_class": _TLSConnection if tls else _Connection}
    watch = redis.sentinel.Sentinel(list(sentinels), sentinel_kwargs=dict(to_sentinels))
    for each in watch.sentinels:
        plain = each.connection_pool
        plain.connection_class = names.bounded(plain.connection_class)
    return redis.sentinel.SentinelConnectionPool(service, watch, **ours)


def async_pool(
    service: str,
    sentinels: Sequence[Address],
    to_sentinels: Mapping[str, Any],
    options: Mapping[str, Any],
) -> redis.asyncio.ConnectionPool:
    """The same for one event loop."""
    watch = redis.asyncio.sentinel.Sentinel(list(sentinels), sentinel_kwargs=dict(to_sentinels))
    return redis.asyncio.sentinel.SentinelConnectionPool(service, watch, **options)


def disconnect(pool: redis.ConnectionPool) -> None:
    """Close a pool's connections and those to its Sentinels."""
    pool.disconnect()
    if isinstance(pool, redis.sentinel.SentinelConnectionPool):
        for each in pool.sentinel_manager.sentinels:
            each.connection_pool.disconnect()


async def disconnect_async(pool: redis.asyncio.ConnectionPool) -> None:
    """The same for a pool of an event loop."""
    await pool.disconnect()
    if isinstance(pool, redis.asyncio.sentinel.SentinelConnectionPool):
        for each in pool.sentinel_manager.sentinels:
            await each.connection_pool.disconnect()
