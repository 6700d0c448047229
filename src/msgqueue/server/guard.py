"""Keeps web pages of other origins, and names of other hosts, away from a server."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from msgqueue.server.problems import Problem

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class LoopbackGuard:
    """ASGI middleware for a server without keys, which only this machine's user may reach.

    A page elsewhere can point a name of its own at 127.0.0.1 (DNS rebinding) or post a form to
    it; so the Host must be one of ours, and an unsafe request must not come from another origin.
    That bodies are JSON, which a form cannot send, `limits.read_object` sees to.

    Args:
        app: what is guarded.
        hosts: further names by which the server may be called.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self.hosts = frozenset((*LOOPBACK, *(host.lower() for host in hosts)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the app answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            self._check(HTTPConnection(scope))
        except Problem as problem:
            await problem.response()(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _check(self, connection: HTTPConnection) -> None:
        host = _without_port(connection.headers.get("host", ""))
        if host not in self.hosts:
            raise Problem(
                421,
                "foreign-host",
                f"This server has no API key, so it answers only to {', '.join(LOOPBACK)};"
                f" the request asks for {host!r}. Set MSGQUEUE_API_KEYS, or start it with"
                f" --allow-host {host or 'NAME'}.",
            )
        refuse_foreign(connection)


def refuse_foreign(connection: HTTPConnection) -> None:
    """Raise a 403 for an unsafe request that a page of another origin sent.

    The order is that of Go's net/http CrossOriginProtection: Sec-Fetch-Site where the browser
    sends it, else Origin against Host; what sends neither is no browser.
    """
    if connection.scope.get("method", "GET") in SAFE:
        return
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        foreign = origin is not None and not _same_host(origin, connection)
    if foreign:
        told = f"The request comes from a page of another origin ({origin or site})."
        raise Problem(403, "foreign-origin", told)


async def refuse_riding(connection: HTTPConnection) -> None:
    """A dependency: `refuse_foreign`, unless the request shows that its page was let.

    A page of another origin may send an unsafe request unasked, and the browser adds the user's
    cookies or Basic login. It may not add a header of its own or send JSON: for these the browser
    asks the app first (CORS).
    """
    headers = connection.headers
    bearer = headers.get("authorization", "").lower().startswith("bearer ")
    json = headers.get("content-type", "").lower().startswith("application/json")
    if not (bearer or json or "x-api-key" in headers):
        refuse_foreign(connection)


def _same_host(origin: str, connection: HTTPConnection) -> bool:
    return urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower()


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
