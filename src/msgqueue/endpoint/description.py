"""How to reach one Redis, and the pools of connections that do."""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.retry import Retry

from msgqueue.errors import ConfigurationError

SOCKET_TIMEOUT = 5.0
"""Seconds to wait for a connection, and for an answer; a url may say otherwise."""
MAX_CONNECTIONS = 10_000
"""A bound against leaks, not a limit that anybody should meet."""
MAX_ASYNC_CONNECTIONS = 64
"""Connections that one event loop opens; further calls wait for a free one."""
WAIT_FOR_FREE = 30.0
"""Seconds that they wait."""

CREDENTIALS = frozenset({"username", "password"})
TIMEOUTS = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT}
SETTLED = frozenset(
    {
        *("retry", "retry_on_error", "retry_on_timeout", "protocol", "legacy_responses"),
        *("driver_info", "lib_name", "lib_version", "health_check_interval"),
        *("decode_responses", "encoding", "encoding_errors", "parser_class", "command_packer"),
    }
)
"""Options that are ours to choose, whatever a url or a client says."""

_IN_ADDRESS = frozenset({"host", "port", "path", "db"}) | CREDENTIALS
_TAKES_DRIVER_INFO = "driver_info" in inspect.signature(AbstractConnection.__init__).parameters
_TWINS: tuple[tuple[type[Any], type[Any]], ...] = (  # the first that is a base counts
    (
        redis.sentinel.SentinelManagedSSLConnection,
        redis.asyncio.sentinel.SentinelManagedSSLConnection,
    ),
    (redis.sentinel.SentinelManagedConnection, redis.asyncio.sentinel.SentinelManagedConnection),
    (redis.SSLConnection, redis.asyncio.SSLConnection),
    (redis.UnixDomainSocketConnection, redis.asyncio.UnixDomainSocketConnection),
    (redis.Connection, redis.asyncio.Connection),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach one Redis.

    Attributes:
        address: for people; holds no credentials.
        connection_class, async_connection_class: redis-py's, or those of a stand-in.
        options: keyword arguments of both classes; hold the credentials.
        sentinels: host and port of each Sentinel; empty for a direct connection.
        service: the name by which the Sentinels know the primary.
        sentinel_options: keyword arguments for connections to the Sentinels.
    """

    address: str
    connection_class: type[Any]
    async_connection_class: type[Any]
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, address: str, connection_class: type[Any], options: Mapping[str, Any]
    ) -> "Endpoint":
        """A direct one: our timeouts where `options` names none, nothing of what is SETTLED."""
        kept = {name: value for name, value in options.items() if name not in SETTLED}
        return cls(address, connection_class, _twin(connection_class), {**TIMEOUTS, **kept})

    def pool(self) -> redis.ConnectionPool:
        """A pool of its own; makes no connection."""
        options: dict[str, Any] = {"max_connections": MAX_CONNECTIONS, **self.options}
        options |= {"connection_class": self.connection_class, **_settled(Retry)}
        if not self.sentinels:
            return redis.ConnectionPool(**options)
        watch = redis.sentinel.Sentinel(
            list(self.sentinels), sentinel_kwargs=self._to_sentinels(Retry)
        )
        return redis.sentinel.SentinelConnectionPool(self.service, watch, **options)

    def async_pool(self) -> redis.asyncio.ConnectionPool:
        """A pool for one event loop; makes no connection."""
        options: dict[str, Any] = {"max_connections": MAX_ASYNC_CONNECTIONS, **self.options}
        options |= {"connection_class": self.async_connection_class, **_settled(AsyncRetry)}
        if not self.sentinels:
            return redis.asyncio.BlockingConnectionPool(timeout=WAIT_FOR_FREE, **options)
        options["max_connections"] = self.options.get("max_connections", MAX_CONNECTIONS)
        watch = redis.asyncio.sentinel.Sentinel(
            list(self.sentinels), sentinel_kwargs=self._to_sentinels(AsyncRetry)
        )
        return redis.asyncio.sentinel.SentinelConnectionPool(self.service, watch, **options)

    def check(self) -> "Endpoint":
        """Build a connection object, without I/O, so that a wrong option shows here; return self.

        Raises:
            ConfigurationError: an option is unknown or has a bad value.
        """
        try:
            pool = self.pool()
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError, redis.RedisError) as error:
            raise ConfigurationError(
                f"an option for {self.address} cannot be used: {error}"
            ) from None
        return self

    def url(self) -> str:
        """The whole url, credentials included: for another process, never for a log.

        Raises:
            ConfigurationError: the client was built from what no url can say.
        """
        query = {name: value for name, value in self.options.items() if self._is_told(name, value)}
        query |= {f"sentinel_{name}": value for name, value in self.sentinel_options.items()}
        odd = [name for name, value in query.items() if not isinstance(value, str | int | float)]
        if odd or not self.connection_class.__module__.startswith("redis."):
            raise ConfigurationError(
                f"the connection to {self.address} cannot be handed to another process"
                f" ({', '.join(odd) or self.connection_class.__name__}):"
                " give the url instead of a client"
            )
        whole = self._with_credentials()
        return whole + (f"{'&' if '?' in whole else '?'}{urlencode(query)}" if query else "")

    @staticmethod
    def _is_told(name: str, value: Any) -> bool:
        return name not in _IN_ADDRESS and value is not None and value != TIMEOUTS.get(name)

    def _with_credentials(self) -> str:
        user, password = self.options.get("username"), self.options.get("password")
        if not (user or password):
            return self.address
        scheme, rest = self.address.split("://", 1)
        secret = f":{quote(password, safe='')}" if password else ""
        return f"{scheme}://{quote(user or '', safe='')}{secret}@{rest}"

    def _to_sentinels(self, retry: type[Any]) -> dict[str, Any]:
        timeouts = {name: self.options[name] for name in TIMEOUTS}
        return {**timeouts, **self.sentinel_options, **_settled(retry)}


def _settled(retry: type[Any]) -> dict[str, Any]:
    """redis-py sends nothing twice by itself, speaks RESP2, and asks nothing while connecting."""
    quiet: dict[str, Any] = {"lib_name": None, "lib_version": None}
    if _TAKES_DRIVER_INFO:
        quiet = {"driver_info": None}
    return {"retry": retry(NoBackoff(), 0), "protocol": 2, **quiet}


def _twin(connection_class: type[Any]) -> type[Any]:
    """The asyncio class that reaches what this class reaches."""
    if connection_class.__module__.partition(".")[0] == "fakeredis":
        twin: type[Any] = importlib.import_module("fakeredis.aioredis").FakeAsyncRedisConnection
        return twin
    for known, twin in _TWINS:
        if issubclass(connection_class, known):
            return twin
    raise ConfigurationError(
        f"{connection_class.__qualname__} is no connection class of redis-py: pass the url instead"
    )
