"""Reads where Redis is from a client that exists; its connections are left alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import redis
import redis.sentinel

from msgqueue.endpoint.description import CREDENTIALS, Endpoint
from msgqueue.endpoint.url import tcp_address, unix_address
from msgqueue.errors import ConfigurationError

_OF_ITS_POOL = frozenset(
    {
        *("connection_pool", "event_dispatcher", "himport_registry", "cache", "cache_config"),
        *("socket_timeout", "socket_connect_timeout", "max_connections"),
    }
)
_OF_MAINTENANCE = ("maint", "orig_", "oss_")  # redis-py's wiring of one pool


def from_client(client: redis.Redis) -> Endpoint:
    """Reach what an existing client reaches, over connections of our own.

    Raises:
        ConfigurationError: it is not a plain `redis.Redis`, but a cluster's or an async client.
    """
    if not isinstance(client, redis.Redis):
        raise ConfigurationError(
            f"connection={type(client).__module__}.{type(client).__qualname__} cannot be used:"
            " pass a redis.Redis, from which async connections are made too"
        )
    pool = client.connection_pool
    options = {
        name: value
        for name, value in pool.connection_kwargs.items()
        if name not in _OF_ITS_POOL and not name.startswith(_OF_MAINTENANCE)
    }
    if isinstance(pool, redis.sentinel.SentinelConnectionPool):
        return _sentinel(pool, options).check()
    address = unix_address(options) if "path" in options else tcp_address(_scheme(pool), options)
    return Endpoint.of(address, pool.connection_class, options).check()


def _scheme(pool: redis.ConnectionPool) -> str:
    return "rediss" if issubclass(pool.connection_class, redis.SSLConnection) else "redis"


def _sentinel(pool: redis.sentinel.SentinelConnectionPool, options: dict[str, Any]) -> Endpoint:
    watched = [each.connection_pool for each in pool.sentinel_manager.sentinels]
    sentinels = tuple((p.connection_kwargs["host"], p.connection_kwargs["port"]) for p in watched)
    hosts = ",".join(f"[{host}]:{p}" if ":" in host else f"{host}:{p}" for host, p in sentinels)
    address = f"{_scheme(pool)}+sentinel://{hosts}/{pool.service_name}/{options.get('db') or 0}"
    return replace(
        Endpoint.of(address, pool.connection_class, options),
        sentinels=sentinels,
        service=pool.service_name,
        sentinel_options=_login(watched[0]),
    )


def _login(pool: redis.ConnectionPool) -> Mapping[str, Any]:
    """How its Sentinels are logged in to."""
    login = {
        name: value
        for name, value in pool.connection_kwargs.items()
        if value is not None and (name in CREDENTIALS or name.startswith("ssl_"))
    }
    return login | ({"ssl": True} if issubclass(pool.connection_class, redis.SSLConnection) else {})
