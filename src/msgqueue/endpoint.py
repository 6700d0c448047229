"""One Redis as redis-py needs it described: read from a url, or from a client that exists."""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, parse_url
from redis.retry import Retry

from msgqueue.errors import ConfigurationError

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection."""
SOCKET_TIMEOUT = 5.0
"""Seconds to wait for an answer; a url may say otherwise (`?socket_timeout=`)."""
MAX_CONNECTIONS = 10_000
"""A bound against leaks, not a limit that anybody should meet."""
MAX_ASYNC_CONNECTIONS = 64
"""Connections an event loop opens; further calls wait for a free one."""

_DIRECT = {
    "redis": redis.Connection,
    "rediss": redis.SSLConnection,
    "unix": redis.UnixDomainSocketConnection,
}
_SENTINEL = {
    "redis+sentinel": redis.sentinel.SentinelManagedConnection,
    "rediss+sentinel": redis.sentinel.SentinelManagedSSLConnection,
}
_TWINS: tuple[tuple[type, type], ...] = (  # the first that is a base counts
    (
        redis.sentinel.SentinelManagedSSLConnection,
        redis.asyncio.sentinel.SentinelManagedSSLConnection,
    ),
    (redis.sentinel.SentinelManagedConnection, redis.asyncio.sentinel.SentinelManagedConnection),
    (redis.SSLConnection, redis.asyncio.SSLConnection),
    (redis.UnixDomainSocketConnection, redis.asyncio.UnixDomainSocketConnection),
    (redis.Connection, redis.asyncio.Connection),
)
_OURS = frozenset(
    {
        "retry",
        "retry_on_error",
        "retry_on_timeout",
        "protocol",
        "driver_info",
        "lib_name",
        "lib_version",
    }
)
_NOT_TAKEN_OVER = _OURS | frozenset(
    {
        "decode_responses",
        "encoding",
        "encoding_errors",
        "parser_class",
        "command_packer",
        "connection_pool",
        "event_dispatcher",
        "himport_registry",
        "cache",
        "cache_config",
        "legacy_responses",
        "socket_timeout",
        "socket_connect_timeout",
        "max_connections",
    }
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

    def pool(self) -> redis.ConnectionPool:
        """A pool of its own; makes no connection."""
        options: dict[str, Any] = {
            "max_connections": MAX_CONNECTIONS,
            **self.options,
            **_settled(Retry),
        }
        options["connection_class"] = self.connection_class
        if not self.sentinels:
            return redis.ConnectionPool(**options)
        watch = redis.sentinel.Sentinel(
            list(self.sentinels), sentinel_kwargs=self._to_sentinels(Retry)
        )
        return redis.sentinel.SentinelConnectionPool(self.service, watch, **options)

    def async_pool(self) -> redis.asyncio.ConnectionPool:
        """A pool for one event loop; makes no connection."""
        options: dict[str, Any] = {**self.options, **_settled(AsyncRetry)}
        options["connection_class"] = self.async_connection_class
        if not self.sentinels:
            limit = options.pop("max_connections", MAX_ASYNC_CONNECTIONS)
            return redis.asyncio.BlockingConnectionPool(
                max_connections=limit, timeout=30, **options
            )
        watch = redis.asyncio.sentinel.Sentinel(
            list(self.sentinels), sentinel_kwargs=self._to_sentinels(AsyncRetry)
        )
        return redis.asyncio.sentinel.SentinelConnectionPool(self.service, watch, **options)

    def url(self) -> str:
        """The whole url, credentials included: for another process, never for a log.

        Raises:
            ConfigurationError: the client was built from what no url can say.
        """
        query = {
            name: value
            for name, value in self.options.items()
            if name not in _IN_ADDRESS and value is not None
        }
        query |= {
            f"sentinel_{name}": value
            for name, value in self.sentinel_options.items()
            if name in _CREDENTIALS
        }
        odd = sorted(
            name for name, value in query.items() if not isinstance(value, str | int | float)
        )
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

    def _to_sentinels(self, retry: type[Any]) -> dict[str, Any]:
        timeouts = {name: self.options[name] for name in _TIMEOUTS}
        return {**timeouts, **self.sentinel_options, **_settled(retry)}


_CREDENTIALS = frozenset({"username", "password"})
_IN_ADDRESS = frozenset({"host", "port", "path", "db"}) | _CREDENTIALS
_TIMEOUTS: dict[str, Any] = {
    "socket_timeout": SOCKET_TIMEOUT,
    "socket_connect_timeout": CONNECT_TIMEOUT,
}


def _settled(retry: type[Any]) -> dict[str, Any]:
    """What nobody may choose: redis-py never sends anything twice, and speaks RESP2."""
    quiet: dict[str, Any] = (
        {"driver_info": None} if _TAKES_DRIVER_INFO else {"lib_name": None, "lib_version": None}
    )
    return {"retry": retry(NoBackoff(), 0), "protocol": 2, **quiet}


_TAKES_DRIVER_INFO = "driver_info" in inspect.signature(AbstractConnection.__init__).parameters


def from_url(url: str, password: str | None = None) -> Endpoint:
    """Read a url: redis, rediss, unix, redis+sentinel or rediss+sentinel.

    Args:
        url: `redis+sentinel://[user:password@]host:port[,host:port]/name[/db]` for Sentinel, where
            `?sentinel_username=` and `?sentinel_password=` log in to the Sentinels themselves.
        password: used where the url names none.

    Raises:
        ConfigurationError: it cannot be used; the text holds none of its credentials.
    """
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme not in _DIRECT and scheme not in _SENTINEL:
        told = f"the scheme {scheme!r}" if scheme.replace("+", "").isalnum() else "no scheme"
        raise ConfigurationError(
            f"the Redis url has {told}: write redis://host:6379/0, rediss://, unix:///path/to/socket"
            " or redis+sentinel://host:26379/name/0"
        )
    try:
        endpoint = (
            _from_sentinel_url(scheme, url)
            if scheme in _SENTINEL
            else _from_direct_url(scheme, url)
        )
    except ValueError as error:  # its text may quote a password: only ours is told
        told = str(error) if isinstance(error, _UnusableUrl) else "it cannot be read"
        raise ConfigurationError(
            f"the {scheme}:// url cannot be used: {told}."
            " Percent-encode what is not a letter or digit in user name and password"
        ) from None
    if password and "password" not in endpoint.options:
        endpoint = replace(endpoint, options={**endpoint.options, "password": password})
    return _checked(endpoint)


class _UnusableUrl(ValueError):
    """Why a url cannot be used, in words without credentials."""


def _from_direct_url(scheme: str, url: str) -> Endpoint:
    options: dict[str, Any] = parse_url(url)
    options.pop("connection_class", None)
    parts = urlsplit(url)
    if scheme == "unix":
        if not options.get("path"):
            raise _UnusableUrl("it names no path: unix:///path/to/socket?db=0")
        address = f"unix://{quote(options['path'])}" + (
            f"?db={options['db']}" if options.get("db") else ""
        )
    else:
        _database(parts.path.strip("/"))
        host = options.setdefault("host", "localhost")
        port = options.setdefault("port", 6379)
        database = options.setdefault("db", 0)
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/{database}"
    return _endpoint(address, _DIRECT[scheme], options)


def _from_sentinel_url(scheme: str, url: str) -> Endpoint:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise _UnusableUrl("it names no Sentinel or no primary: redis+sentinel://host:26379/name/0")
    options: dict[str, Any] = parse_url(f"redis://?{parts.query}")
    options["db"] = _database(database) or options.get("db", 0)
    user, _, password = credentials.partition(":")
    options |= {
        name: unquote(text) for name, text in (("username", user), ("password", password)) if text
    }
    login = {
        name: options.pop(f"sentinel_{name}")
        for name in _CREDENTIALS
        if f"sentinel_{name}" in options
    }
    endpoint = _endpoint(
        f"{scheme}://{hosts}/{service}/{options['db']}", _SENTINEL[scheme], options
    )
    sentinels = tuple(_host_and_port(text) for text in hosts.split(","))
    return replace(endpoint, sentinels=sentinels, service=unquote(service), sentinel_options=login)


def _endpoint(address: str, connection_class: type[Any], options: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        address,
        connection_class,
        _twin(connection_class),
        {**_TIMEOUTS, **_without(options, _OURS)},
    )


def _database(text: str) -> int:
    if text and not text.isdecimal():
        raise _UnusableUrl("the database after the last / is not a number")
    return int(text or 0)


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if text.endswith("]") or not colon:
        host, port = text, "26379"
    if not port.isdecimal() or not host:
        raise _UnusableUrl("a Sentinel's address is not host:port")
    return host.strip("[]"), int(port)


def from_client(client: redis.Redis) -> Endpoint:
    """Reach what an existing client reaches, over connections of our own.

    Raises:
        ConfigurationError: it is not a plain `redis.Redis`, such as a cluster's or an async client.
    """
    if not isinstance(client, redis.Redis):
        raise ConfigurationError(
            f"connection={type(client).__module__}.{type(client).__qualname__} cannot be used:"
            " pass a redis.Redis, from which async connections are made too"
        )
    pool = client.connection_pool
    options = {
        k: v
        for k, v in pool.connection_kwargs.items()
        if k not in _NOT_TAKEN_OVER and "maint_" not in k
    }
    options = {k: v for k, v in options.items() if not k.startswith(("orig_", "oss_"))}
    endpoint = _endpoint(_address(pool, options), pool.connection_class, options)
    if isinstance(pool, redis.sentinel.SentinelConnectionPool):
        endpoint = _with_sentinels(endpoint, pool)
    return _checked(endpoint)


def _address(pool: redis.ConnectionPool, options: Mapping[str, Any]) -> str:
    database = options.get("db") or 0
    if isinstance(pool, redis.sentinel.SentinelConnectionPool):
        hosts = ",".join(f"{host}:{port}" for host, port, _ in _sentinels(pool))
        scheme = "rediss" if issubclass(pool.connection_class, redis.SSLConnection) else "redis"
        return f"{scheme}+sentinel://{hosts}/{pool.service_name}/{database}"
    if "path" in options:
        return f"unix://{quote(options['path'])}" + (f"?db={database}" if database else "")
    scheme = "rediss" if issubclass(pool.connection_class, redis.SSLConnection) else "redis"
    host = options.get("host", "localhost")
    return (
        f"{scheme}://{f'[{host}]' if ':' in host else host}:{options.get('port', 6379)}/{database}"
    )


def _sentinels(
    pool: redis.sentinel.SentinelConnectionPool,
) -> list[tuple[str, int, Mapping[str, Any]]]:
    kwargs = [
        sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels
    ]
    return [(each["host"], each["port"], each) for each in kwargs]


def _with_sentinels(endpoint: Endpoint, pool: redis.sentinel.SentinelConnectionPool) -> Endpoint:
    found = _sentinels(pool)
    login = {
        k: v
        for k, v in found[0][2].items()
        if v is not None and (k in _CREDENTIALS or k.startswith("ssl"))
    }
    if issubclass(found[0][2].get("connection_class", redis.Connection), redis.SSLConnection):
        login["ssl"] = True
    sentinels = tuple((host, port) for host, port, _ in found)
    return replace(endpoint, sentinels=sentinels, service=pool.service_name, sentinel_options=login)


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


def _without(options: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


def _checked(endpoint: Endpoint) -> Endpoint:
    """Build one connection object, without I/O, so that a wrong option shows here."""
    try:
        pool = endpoint.pool()
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, redis.RedisError) as error:
        raise ConfigurationError(
            f"an option for {endpoint.address} cannot be used: {error}"
        ) from None
    return endpoint
