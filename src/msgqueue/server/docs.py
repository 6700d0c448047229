"""Swagger at /docs, drawn without the internet, behind the same keys as the API."""

import secrets
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.params import Depends
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse

from msgqueue.server.problems import Problem, ProblemRoute

ASSETS = Path(fastapi_offline.__file__).parent / "static"
ASSET_NAMES = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"})


def create_docs_router(app: FastAPI, guard: Depends) -> APIRouter:
    """The routes / (which leads on), /docs and /openapi.json of our own app; a host has its own."""
    router = APIRouter(route_class=ProblemRoute, dependencies=[guard], include_in_schema=False)

    @router.get("/")
    async def home(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{_root(request)}/docs")

    @router.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        return _swagger(app.title, _root(request))

    @router.get("/docs/{name}")
    async def asset(name: str) -> Response:
        if name not in ASSET_NAMES:
            raise Problem(404, "not-found", f"The documentation has no file {name!r}.")
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return FileResponse(ASSETS / name, headers=headers)

    @router.get("/openapi.json")
    async def openapi(request: Request) -> JSONResponse:
        schema = app.openapi()
        if root := _root(request):
            schema = {**schema, "servers": [{"url": root}]}
        return JSONResponse(schema)

    return router


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _swagger(title: str, root: str) -> HTMLResponse:
    """FastAPI's page with our addresses, its scripts tied to this answer by a nonce."""
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=title,
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon.png",
        swagger_ui_parameters={"persistAuthorization": False, "displayRequestDuration": True},
    )
    nonce = secrets.token_urlsafe(16)
    html = bytes(page.body).decode().replace("<script", f'<script nonce="{nonce}"')
    # fetch() refuses addresses with a login, which a page opened as http://me:key@host/docs has
    html = html.replace(f"url: '{root}", f"url: location.origin + '{root}")
    return HTMLResponse(html, headers=page_headers(f"'nonce-{nonce}'"))


def page_headers(scripts: str) -> dict[str, str]:
    """Headers of a page that runs only the scripts named, in no frame, stored nowhere."""
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; font-src 'self' data:; connect-src 'self';"
        " frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
