"""rq-dashboard as a route of a FastAPI app, so that the app's dependencies guard it."""

import threading
from functools import partial
from importlib import import_module
from typing import cast

from a2wsgi import WSGIMiddleware
from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from msgqueue.errors import ConfigurationError
from msgqueue.queue import TaskQueue
from msgqueue.server.auth import FROM_ENVIRONMENT, Auth, resolved
from msgqueue.server.guard import refuse_foreign
from msgqueue.server.lifespan import lifespan_of
from msgqueue.server.problems import ProblemRoute

THREADS = 4  # pages are drawn from a few reads each; more only compete for the GIL


def mount_dashboard(
    app: FastAPI | APIRouter, queue: TaskQueue, *, path: str = "/rq", auth: Auth = FROM_ENVIRONMENT
) -> None:
    """Serve rq-dashboard below a path of an app, for every queue in this queue's Redis.

    Args:
        app: the app, or a router of it.
        queue: whose Redis is shown.
        path: where, such as `/rq`.
        auth: as for `create_router`; a browser asks for a key as the password of HTTP Basic.

    Raises:
        ConfigurationError: the path cannot be used, or nothing says who may look.
    """
    if not path.startswith("/") or path.endswith("/"):
        raise ConfigurationError(
            f'path={path!r} cannot hold the dashboard: it starts with "/" and does not end with it'
        )
    app.include_router(_dashboard_router(queue, auth), prefix=path)


def _dashboard_router(queue: TaskQueue, auth: Auth) -> APIRouter:
    dashboard = Dashboard(queue)
    router = APIRouter(
        route_class=ProblemRoute,
        dependencies=[resolved(auth)],
        lifespan=lifespan_of(queue),
        include_in_schema=False,
    )

    @router.get("")
    async def with_slash(request: Request) -> RedirectResponse:
        return RedirectResponse(_outside(request.scope, "") + "/")

    @router.api_route("/{page:path}", methods=["GET", "HEAD", "POST"])
    async def show(request: Request, page: str) -> Response:
        refuse_foreign(request)
        return _FromWsgi(await dashboard.wsgi(), page)

    return router


class Dashboard:
    """The WSGI app of one queue's dashboard, made when the first page is asked for.

    Flask and rq-dashboard take half a second to import, which a server's start does not wait for.
    """

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._lock = threading.Lock()
        self._wsgi: ASGIApp | None = None

    async def wsgi(self) -> ASGIApp:
        """The app as ASGI."""
        return await to_thread.run_sync(self._made) if self._wsgi is None else self._wsgi

    def _made(self) -> ASGIApp:
        with self._lock:
            if self._wsgi is None:
                self._wsgi = _wsgi(self._queue)
        return self._wsgi


def _wsgi(queue: TaskQueue) -> ASGIApp:
    flask = import_module("msgqueue.server.dashboard_app").create_flask(queue)
    # a2wsgi names the same protocol in types of its own
    return cast(ASGIApp, WSGIMiddleware(flask, workers=THREADS))


class _FromWsgi(Response):
    """An answer that the WSGI app gives."""

    def __init__(self, wsgi: ASGIApp, page: str) -> None:
        super().__init__()
        self._answer = partial(_call_below, wsgi, page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it answer."""
        await self._answer(scope, receive, send)


async def _call_below(wsgi: ASGIApp, page: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Call the WSGI app with the part of the path before `page` as its root.

    a2wsgi takes the root off the path only where the path starts with it. Behind a proxy that
    strips a prefix it does not, and every page would be a 404.
    """
    root = _outside(scope, page).removesuffix("/")
    await wsgi({**scope, "root_path": root, "path": f"{root}/{page}"}, receive, send)


def _outside(scope: Scope, page: str) -> str:
    """The path before `page` as the browser sees it, whether or not a proxy stripped a prefix."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    before = path.removesuffix(page)
    inside_root = before == root or before.startswith(root + "/")
    return before if inside_root else root + before
