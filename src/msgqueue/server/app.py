"""The whole server as one FastAPI app: API, first contract, dashboard, documentation, health."""

from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from msgqueue.queue import TaskQueue
from msgqueue.server.auth import FROM_ENVIRONMENT, Auth, resolved
from msgqueue.server.dashboard import mount_dashboard
from msgqueue.server.docs import create_docs_router
from msgqueue.server.guard import LoopbackGuard
from msgqueue.server.health import create_health_router
from msgqueue.server.legacy import create_legacy_router
from msgqueue.server.problems import Problem, problem_of
from msgqueue.server.router import create_router

DESCRIPTION = """Enqueue jobs, follow them, cancel them. The dashboard is at [rq](rq/).

`/v1` is for new clients; `/app/tasks` is the first contract, which existing clients call."""


def create_app(
    queue: TaskQueue,
    *,
    auth: Auth = FROM_ENVIRONMENT,
    default_task: str | None = None,
    allow_hosts: Iterable[str] = (),
) -> FastAPI:
    """A server for one queue: `/v1`, `/app/tasks`, `/rq`, `/docs` and `/healthz`.

    With `auth=None` it answers only requests that name this machine or one of `allow_hosts` as
    their host, and none that a page of another origin sent: it is for loopback.

    Args:
        queue: whose tasks and jobs it serves.
        auth: as for `create_router`; it guards everything but `/healthz`.
        default_task: as for `create_legacy_router`.
        allow_hosts: names, besides those of loopback, by which an open server may be called.

    Raises:
        ConfigurationError: `auth` was left out and no key is set.
    """
    app = FastAPI(
        title="msgqueue",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    guard = resolved(auth)
    app.include_router(create_health_router(queue))
    app.include_router(create_docs_router(app, guard))
    app.include_router(create_router(queue, auth=guard))
    app.include_router(create_legacy_router(queue, auth=guard, default_task=default_task))
    mount_dashboard(app, queue, auth=guard)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(Exception, _unforeseen)
    if auth is None:
        app.add_middleware(LoopbackGuard, hosts=tuple(allow_hosts))
    return app


async def _http_problem(_request: Request, error: Exception) -> Response:
    """What no route answered: 404 and 405."""
    if not isinstance(error, HTTPException):
        raise TypeError(error)
    return problem_of(error).response()


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    """A defect. Starlette raises it again after this answer, so the server logs it."""
    return Problem(500, "internal-error", "The server's log tells more.").response()
