"""One embedded server for the whole run; every test finds an empty database on it."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests import shop
from tests.patience import wait_until

import msgqueue
from msgqueue import TaskQueue
from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer
from msgqueue.settings import Settings
from msgqueue.testing import InlineWorker

Both = Callable[..., Any]
Eventually = Callable[..., None]
ServerAt = Callable[..., EmbeddedServer]
Python = Callable[..., subprocess.Popen[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of tests/faults is run, and by which choices."""
    group = parser.getgroup("faults")
    group.addoption("--faults", action="store_true", help="all faults, at their full size")
    group.addoption("--fault-seed", type=int, help="repeat the choices of another run")
    group.addoption("--docs", action="store_true", help="put the table into the documentation")
    group.addoption("--soak", type=float, default=0, help="mix all faults for so many seconds")


def pytest_configure(config: pytest.Config) -> None:
    """With pytest-xdist, keep apart what would disturb each other, unless all faults are run."""
    if config.pluginmanager.hasplugin("xdist") and not config.getoption("--faults"):
        config.pluginmanager.import_plugin("tests.lanes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it was asked for."""
    left_out = {"soak"} if config.getoption("--faults") else {"soak", "faults"}
    if config.getoption("--soak"):
        left_out = set()
    gone = [item for item in items if any(mark.name in left_out for mark in item.iter_markers())]
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=gone)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _bare_environment() -> Iterator[None]:
    """No setting of the developer's shell leaks into a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("MSGQUEUE_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """The server of the whole run; never kill it: take `server_at`."""
    home = Path(tempfile.mkdtemp(prefix="mq-"))
    server = EmbeddedServer(Settings(home=home / "home"))
    server.ensure()
    yield server
    server.stop()
    shutil.rmtree(home)


@pytest.fixture
def url(server: EmbeddedServer) -> str:
    """The url of a running server with an empty database."""
    client = redis.Redis.from_url(server.url)
    client.flushdb()
    client.close()
    return server.url


@pytest.fixture
def source(url: str) -> Iterator[Source]:
    """A source of connections to an empty database."""
    source = Source(url)
    yield source
    source.close()


@pytest.fixture
def client(source: Source) -> redis.Redis:
    """A plain client of redis-py on an empty database."""
    return source.client()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A new folder whose path leaves room for a socket, which pytest's `tmp_path` may not."""
    path = Path(tempfile.mkdtemp(prefix="mq-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def server_at() -> Iterator[ServerAt]:
    """`server_at(home)` starts or shares a server of the test's own; kill it by its `pid`."""
    started: list[EmbeddedServer] = []

    def start(home: Path, redis_server: str | None = None) -> EmbeddedServer:
        server = EmbeddedServer(Settings(home=home, redis_server=redis_server))
        started.append(server)
        server.ensure()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def python() -> Iterator[Python]:
    """`python(code, *args)` starts an interpreter on this very source; it is killed at the end."""
    started: list[subprocess.Popen[str]] = []
    source = str(Path(msgqueue.__file__).parents[1])

    def start(code: str, *args: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": source},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def eventually() -> Eventually:
    """`eventually(condition, within=20)` waits until the condition holds, or fails the test."""
    return wait_until


@pytest.fixture
def queue(source: Source) -> Iterator[TaskQueue]:
    """The tasks of `tests.shop` on an empty database."""
    with shop.queue.diverted(source):
        yield shop.queue


@pytest.fixture
def worker(queue: TaskQueue) -> InlineWorker:
    """Runs their jobs."""
    return InlineWorker(queue)


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest, queue: TaskQueue) -> Both:
    """Calls a method, or its twin in an event loop of its own."""

    def call(owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if request.param == "sync":
            return getattr(owner, name)(*args, **kwargs)

        async def twin() -> Any:
            async with queue:
                return await getattr(owner, f"{name}_async")(*args, **kwargs)

        return asyncio.run(twin())

    return call
