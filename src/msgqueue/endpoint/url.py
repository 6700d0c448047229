"""Reads where Redis is from a url, and never quotes its credentials."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import redis
import redis.sentinel
from redis.connection import parse_url

from msgqueue.endpoint.description import CREDENTIALS, Endpoint
from msgqueue.errors import ConfigurationError

SENTINEL_PORT = 26379
_DIRECT: dict[str, type[Any]] = {
    "redis": redis.Connection,
    "rediss": redis.SSLConnection,
    "unix": redis.UnixDomainSocketConnection,
}
_SENTINEL: dict[str, type[Any]] = {
    "redis+sentinel": redis.sentinel.SentinelManagedConnection,
    "rediss+sentinel": redis.sentinel.SentinelManagedSSLConnection,
}


def from_url(url: str, password: str | None = None, told_as: str = "the Redis url") -> Endpoint:
    """Read a url: redis, rediss, unix, redis+sentinel or rediss+sentinel.

    Args:
        url: for Sentinel `redis+sentinel://[user:password@]host:port[,host:port]/name[/db]`, where
            `?sentinel_username=` and `?sentinel_password=` log in to the Sentinels themselves.
        password: used where the url names none.
        told_as: what errors call the url; they never quote it.

    Raises:
        ConfigurationError: it cannot be used; the text holds none of its credentials.
    """
    scheme = _scheme(url, told_as)
    try:
        _check_signs(url)
        read = _sentinel if scheme in _SENTINEL else _direct
        endpoint = read(scheme, url)
    except ValueError as error:  # the text of another's may quote a password
        told = str(error) if isinstance(error, _UnusableUrl) else "it cannot be read"
        raise ConfigurationError(
            f"{told_as} ({scheme}://...) cannot be used: {told}."
            " Percent-encode signs other than letters and digits in user name and password"
        ) from None
    if password and "password" not in endpoint.options:
        endpoint = replace(endpoint, options={**endpoint.options, "password": password})
    return endpoint.check()


class _UnusableUrl(ValueError):
    """Why a url cannot be used, in words without credentials."""


def _scheme(url: str, told_as: str) -> str:
    scheme, found, _ = url.partition("://")
    if found and (scheme in _DIRECT or scheme in _SENTINEL):
        return scheme
    told = f"the scheme {scheme!r}" if found and scheme.replace("+", "").isalnum() else "no scheme"
    raise ConfigurationError(
        f"{told_as} has {told}: write redis://host:6379/0, rediss://host:6379/0,"
        " unix:///path/to/socket or redis+sentinel://host:26379/name/0"
    )


def _check_signs(url: str) -> None:
    """A sign that ends host and port, left in a password as it is, makes its beginning a host."""
    where, *rest = re.split("[/?#]", url.partition("://")[2], maxsplit=1)
    if where and rest and "@" in rest[0]:
        raise _UnusableUrl("an @ comes after its first /, ? or #")


def _direct(scheme: str, url: str) -> Endpoint:
    options: dict[str, Any] = parse_url(url)
    options.pop("connection_class", None)
    if scheme == "unix":
        return Endpoint.of(unix_address(options), _DIRECT[scheme], options)
    options["db"] = options.get("db") or _database(urlsplit(url).path.strip("/"))
    options = {"host": "localhost", "port": 6379, **options}
    return Endpoint.of(tcp_address(scheme, options), _DIRECT[scheme], options)


def tcp_address(scheme: str, options: dict[str, Any]) -> str:
    """`redis://host:port/db`."""
    host = quote(options.get("host", "localhost"), safe=":")
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{options.get('port', 6379)}/{options.get('db') or 0}"


def unix_address(options: dict[str, Any]) -> str:
    """`unix:///path?db=1`."""
    if not options.get("path"):
        raise _UnusableUrl("it names no path, as unix:///path/to/socket does")
    return f"unix://{quote(options['path'])}" + (
        f"?db={options['db']}" if options.get("db") else ""
    )


def _sentinel(scheme: str, url: str) -> Endpoint:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise _UnusableUrl(
            "it names no Sentinel or no primary, as redis+sentinel://host:26379/name/0 does"
        )
    options: dict[str, Any] = parse_url(f"redis://?{parts.query}")
    if named := options.keys() & {"host", "port", "path"}:
        raise _UnusableUrl(f"its ?{min(named)}= is not heeded: the Sentinels tell where Redis is")
    options["db"] = _database(database) or options.get("db", 0)
    user, _, password = credentials.partition(":")
    login = {"username": unquote(user), "password": unquote(password)}
    options |= {name: text for name, text in login.items() if text}
    to_sentinels = {
        name: options.pop(f"sentinel_{name}")
        for name in (*CREDENTIALS, "ssl")
        if f"sentinel_{name}" in options
    }
    endpoint = Endpoint.of(
        f"{scheme}://{hosts}/{service}/{options['db']}", _SENTINEL[scheme], options
    )
    return replace(
        endpoint,
        sentinels=tuple(_host_and_port(text) for text in hosts.split(",")),
        service=unquote(service),
        sentinel_options=to_sentinels,
    )


def _database(text: str) -> int:
    if text and not text.isdecimal():
        raise _UnusableUrl("the database after the last / is not a number")
    return int(text or 0)


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(SENTINEL_PORT)
    if not port.isdecimal() or not host:
        raise _UnusableUrl("the address of a Sentinel is not host:port")
    return host.strip("[]"), int(port)
