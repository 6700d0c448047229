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

from msgqueue.endpoint import names, sentinel
from msgqueue.errors import ConfigurationError

SOCKET_TIMEOUT = 5.0
"""Seconds to wait for a connection, and for an answer; a url may say otherwise."""
SENTINEL_TIMEOUT = 1.0
"""Seconds to wait for a Sentinel: the next one may know."""
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

_NOT_IN_QUERY = frozenset({"host", "port", "path", "db", "socket_keepalive_options"}) | CREDENTIALS
_TLS = (redis.SSLConnection, redis.asyncio.SSLConnection)
_QUIET: dict[str, Any] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(AbstractConnection.__init__).parameters
    else {"lib_name": None, "lib_version": None}
)
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
        options = self._all_options(names.bounded(self.connection_class), Retry, MAX_CONNECTIONS)
        if not self.sentinels:
            return redis.ConnectionPool(**options)
        return sentinel.pool(self.service, self.sentinels, self._to_sentinels(Retry), options)

    def async_pool(self) -> redis.asyncio.ConnectionPool:
        """A pool for one event loop; makes no connection."""
        options = self._all_options(self.async_connection_class, AsyncRetry, MAX_ASYNC_CONNECTIONS)
        if not self.sentinels:
            return redis.asyncio.BlockingConnectionPool(timeout=WAIT_FOR_FREE, **options)
        options["max_connections"] = MAX_CONNECTIONS  # redis-py has no pool for Sentinel that waits
        to_sentinels = self._to_sentinels(AsyncRetry)
        return sentinel.async_pool(self.service, self.sentinels, to_sentinels, options)

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
        usual = _defaults(self.connection_class) | TIMEOUTS
        query = {
            name: value
            for name, value in self.options.items()
            if name not in _NOT_IN_QUERY and value not in (None, usual.get(name))
        }
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

    def _with_credentials(self) -> str:
        user, password = self.options.get("username"), self.options.get("password")
        if not (user or password):
            return self.address
        scheme, rest = self.address.split("://", 1)
        secret = f":{quote(password, safe='')}" if password else ""
        return f"{scheme}://{quote(user or '', safe='')}{secret}@{rest}"

    def _all_options(
        self, connection_class: type[Any], retry: type[Any], most: int
    ) -> dict[str, Any]:
        return {
            "max_connections": most,
            **self.options,
            "connection_class": connection_class,
            **_settled(retry, tls=issubclass(connection_class, _TLS)),
        }

    def _to_sentinels(self, retry: type[Any]) -> dict[str, Any]:
        timeouts = {name: min(self.options[name] or 1, SENTINEL_TIMEOUT) for name in TIMEOUTS}
        tls = bool(self.sentinel_options.get("ssl"))
        return {**timeouts, **self.sentinel_options, **_settled(retry, tls)}


def _settled(retry: type[Any], tls: bool) -> dict[str, Any]:
    """redis-py sends nothing twice by itself, speaks RESP2, and says nothing while connecting.

    Over TLS it says who it is: the answer takes the session tickets of TLS 1.3 off the socket,
    which redis-py 8 otherwise mistakes for an answer that nobody asked for.
    """
    return {"retry": retry(NoBackoff(), 0), "protocol": 2, **({} if tls else _QUIET)}


def _defaults(connection_class: type[Any]) -> dict[str, Any]:
    """The options that a class takes, with their defaults."""
    return {
        name: option.default
        for each in reversed(connection_class.__mro__)
        if "__init__" in vars(each)
        for name, option in inspect.signature(vars(each)["__init__"]).parameters.items()
    }


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
