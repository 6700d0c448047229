"""rq-dashboard's Flask app with its holes closed: nothing is unpickled, nothing stored runs.

rq-dashboard keeps its settings in module globals. It is loaded a second time under a name of our
own, so what is changed here does not touch an rq-dashboard that the host runs itself.
"""

import logging
import re
import secrets
from importlib.util import find_spec, module_from_spec
from typing import Any, Protocol

from flask import Flask, Response, abort, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from jinja2 import BaseLoader, Environment
from pydantic_core import to_json
from redis.exceptions import RedisError as RedisClientError

from msgqueue.errors import ConfigurationError, MsgqueueError
from msgqueue.queue import TaskQueue
from msgqueue.server.dashboard_views import views_of
from msgqueue.server.docs import page_headers
from msgqueue.server.problems import problem_of

logger = logging.getLogger(__name__)

UNSAFE_BY_GET = frozenset({"rq_dashboard.requeue_all"})


def create_flask(queue: TaskQueue) -> Flask:
    """The WSGI app of a dashboard for this queue's Redis."""
    web = private_copy("rq_dashboard.web")
    # The app's name gives it rq-dashboard's static folder; with another its pages have no styles.
    app = _EscapingFlask("rq_dashboard")
    app.config["RQ_DASHBOARD_REDIS_URL"] = [queue.source.address]
    # This hook would open a client for each request, from a URL with credentials.
    web.blueprint.before_request_funcs.clear()
    app.register_blueprint(web.blueprint)
    app.view_functions.update(views_of(web, queue))
    app.before_request(_prepare(queue))
    app.after_request(_harden)
    app.context_processor(lambda: {"csp_nonce": g.nonce})
    app.register_error_handler(MsgqueueError, _tell)
    app.register_error_handler(RedisClientError, _tell_of_redis)
    return app


def private_copy(name: str) -> Any:
    """A module loaded anew, known to nobody else."""
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"no module {name}: pip install 'msgqueue[server]'")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Json(DefaultJSONProvider):
    """Writes JSON that browsers read: for NaN and Infinity, which a result may hold, null."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """The text."""
        return to_json(obj, inf_nan_mode="null").decode()


class _EscapingFlask(Flask):
    """Flask whose templates escape what they show, in Jinja and in the browser."""

    json_provider_class = _Json

    def create_global_jinja_loader(self) -> Any:
        """rq-dashboard's templates, rewritten as they are loaded."""
        return _RewritingLoader(super().create_global_jinja_loader())

    def select_jinja_autoescape(self, filename: str | None) -> bool:  # noqa: ARG002 - Flask's own
        """Always: Flask would leave the scripts alone, and they hold a queue name of the URL."""
        return True


class _RewritingLoader(BaseLoader):
    """Loads templates through another loader and closes their holes."""

    def __init__(self, loader: BaseLoader) -> None:
        self._loader = loader

    def get_source(self, environment: Environment, template: str) -> Any:
        """The rewritten source."""
        source, filename, uptodate = self._loader.get_source(environment, template)
        return rewritten(source), filename, uptodate


def rewritten(template: str) -> str:
    """A template of rq-dashboard with every value escaped, and a nonce on every script.

    `<%=` of underscore writes HTML as it is; `<%-` escapes it. Those before `$(` escape already.
    """
    template = re.sub(r"<%=(?!\s*\$\()", "<%-", template)
    template = template.replace("'{{ queue.name }}'", "{{ queue.name|tojson }}")
    return template.replace("<script", '<script nonce="{{ csp_nonce }}"')


class _Hook(Protocol):
    def __call__(self) -> None: ...


def _prepare(queue: TaskQueue) -> _Hook:
    def prepare() -> None:
        g.nonce = secrets.token_urlsafe(16)
        if request.endpoint in UNSAFE_BY_GET and request.method != "POST":
            abort(405)
        if (request.view_args or {}).get("instance_number", 0):
            abort(404)
        current_app.redis_conn = queue.source.client()  # type: ignore[attr-defined] # rq-dashboard adds it

    return prepare


def _harden(response: Response) -> Response:
    if response.location:  # werkzeug's redirects name the scheme and host, which a proxy changes
        response.location = response.location.removeprefix(request.host_url.rstrip("/"))
    # underscore compiles its templates with eval
    for name, value in page_headers(f"'nonce-{g.nonce}' 'unsafe-eval'").items():
        if name != "Cache-Control" or not (request.endpoint or "").endswith("static"):
            response.headers[name] = value
    return response


def _tell(error: MsgqueueError) -> Response:
    problem = problem_of(error)
    return _plain(str(problem.detail), problem.status_code)


def _tell_of_redis(error: RedisClientError) -> Response:
    logger.warning("the dashboard cannot read Redis: %s", error)
    return _plain("Redis cannot be reached right now.", 503)


def _plain(text: str, status: int) -> Response:
    """Text, never HTML: it may quote the request."""
    return Response(text, status, content_type="text/plain; charset=utf-8")
