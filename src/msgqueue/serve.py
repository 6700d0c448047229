"""The command `msgqueue-serve`: API, dashboard and workers together, with an embedded server.

It is a supervisor that minds the web server as one more child, so that no worker ever lives
inside a web process.
"""

import errno
import ipaddress
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from types import FrameType
from typing import Annotated, Final

import typer

from msgqueue import apps
from msgqueue.errors import ConfigurationError, MsgqueueError, UnknownTask
from msgqueue.observe import logs
from msgqueue.queue import TaskQueue
from msgqueue.registry import task_named
from msgqueue.settings import Settings
from msgqueue.worker.extras import Extra
from msgqueue.worker.scaling import parse
from msgqueue.worker.supervisor import Supervisor

DEMO: Final = "msgqueue.demo:queue"
DEMO_TASK: Final = "process"
BACKLOG: Final = 2048
PORT_FREE_WITHIN: Final = 3.0  # seconds
GRACE: Final = 5  # seconds that requests get to end in
SERVER_MODULES: Final = ("fastapi", "uvicorn", "a2wsgi", "rq_dashboard", "six", "fastapi_offline")

App = Annotated[
    str, typer.Argument(metavar="[MODULE:QUEUE]", help="Your TaskQueue; default: demo tasks.")
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")]
Processes = Annotated[str, typer.Option(help="Worker processes: 2; by the load: 2-8; 0 runs none.")]
DefaultTask = Annotated[
    str | None, typer.Option(help="The task of received objects that name none.")
]
AllowHosts = Annotated[
    list[str] | None,
    typer.Option("--allow-host", help="Without keys: a further name to be called by."),
]


def serve(
    app: App = DEMO,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    processes: Processes = "2",
    default_task: DefaultTask = None,
    allow_host: AllowHosts = None,
) -> None:
    """Serve a TaskQueue over HTTP and run its jobs, until Ctrl-C."""
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level)
    _require_server_extra()
    _require_key_beyond_loopback(host, settings)
    many = None if processes == "0" else parse(processes)
    queue = apps.load(app)
    default_task = default_task or (DEMO_TASK if app == DEMO else None)
    if default_task is not None:
        task_named(queue.tasks, default_task)
    listening = _listen(host, port)
    queue.source.url  # noqa: B018 - starts the embedded server where there is no url
    _tell_where(listening, settings, queue, processes)
    web = partial(_serve_web, app, listening, settings, default_task, tuple(allow_host or ()))
    if many:
        minded = Extra("web server", partial(web, pinned=True))
        raise typer.Exit(Supervisor(queue, many, extras=[minded]).run())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)  # uvicorn raises again what it was ended by
    web(pinned=False)


def main() -> None:
    """Run the command; a mistake of the caller's is one line on standard error and exit code 2."""
    try:
        typer.run(serve)
    except MsgqueueError as error:
        sys.stderr.write(f"msgqueue-serve: {error}\n")
        sys.exit(2 if isinstance(error, (ConfigurationError, UnknownTask)) else 1)


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _require_server_extra() -> None:
    missing = [name for name in SERVER_MODULES if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the HTTP server needs {', '.join(missing)}: pip install 'msgqueue[server]'"
        )


def _require_key_beyond_loopback(host: str, settings: Settings) -> None:
    if settings.api_keys or _is_loopback(host):
        return
    raise ConfigurationError(
        f"refusing to listen on {host} without an API key: everyone who reaches it could enqueue"
        " and cancel jobs. Set one, such as"
        ' MSGQUEUE_API_KEYS="$(openssl rand -hex 32)", or listen on 127.0.0.1'
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    """Listen before anything else starts; requests wait until the web server takes them.

    A port in use is tried again for a while: a server whose supervisor was killed a moment ago
    needs it to end.
    """
    until = time.monotonic() + PORT_FREE_WITHIN
    while True:
        try:
            return _bound(host, port)
        except (socket.gaierror, OverflowError) as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: give an address of this machine, and a port of 0"
                " to 65535"
            ) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                raise ConfigurationError(
                    f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}."
                    " Choose another with --port, or end what listens there"
                ) from error
            time.sleep(0.1)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listening.set_inheritable(True)
    return listening


def _tell_where(
    listening: socket.socket, settings: Settings, queue: TaskQueue, processes: str
) -> None:
    host, port = listening.getsockname()[:2]
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    keys = "with a key of MSGQUEUE_API_KEYS" if settings.api_keys else "no key, this machine only"
    many = f"{processes} process{'' if processes == '1' else 'es'} for {', '.join(queue.names)}"
    workers = many if processes != "0" else "none here"
    for what, told in (
        ("API", f"{base}/docs ({keys})"),
        ("dashboard", f"{base}/rq"),
        ("Redis", queue.source.address),
        ("data", _data(queue, settings)),
        ("workers", f"{workers}; Ctrl-C ends all"),
    ):
        typer.echo(f"{what:<10} {told}")


def _data(queue: TaskQueue, settings: Settings) -> str:
    embedded = queue.source.address.startswith(f"unix://{settings.home}")
    return str(settings.home) if embedded else "in that Redis"


def _serve_web(
    app: str,
    listening: socket.socket,
    settings: Settings,
    default_task: str | None,
    allow_hosts: Sequence[str],
    *,
    pinned: bool,
) -> None:
    """The web server's process. `pinned`: the supervisor alone owns the embedded server."""
    import uvicorn  # in this process alone: workers need neither

    from msgqueue.server import ApiKeys, create_app

    queue = apps.load(app)
    if pinned:
        queue.source.pin()
    auth = ApiKeys(settings.api_keys) if settings.api_keys else None
    config = uvicorn.Config(
        create_app(queue, auth=auth, default_task=default_task, allow_hosts=allow_hosts),
        log_config=logs.configuration(settings.log_format, settings.log_level),
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
