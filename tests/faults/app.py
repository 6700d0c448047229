"""The tasks of the fault tests: each run tells of its begin and its end, outside Redis."""

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.lines import append

from msgqueue import TaskQueue

QUEUES = ("first", "second", "third")
queue = TaskQueue(queues=QUEUES)


@contextmanager
def noted(key: str) -> Iterator[None]:
    """Tell the ledger of one run."""
    append(os.environ["RUNS"], "begin", key, os.getpid(), time.monotonic())
    yield
    append(os.environ["RUNS"], "end", key, os.getpid(), time.monotonic())


@queue.task
def work(key: str, seconds: float = 0.0) -> str:
    with noted(key):
        if seconds:
            time.sleep(seconds)
    return key


@queue.task
async def nap(key: str, seconds: float = 0.0) -> str:
    with noted(key):
        await asyncio.sleep(seconds)
    return key


@queue.task
def noise(key: str, size: int) -> str:
    """Give back so many characters, of which each takes half a byte at least."""
    with noted(key):
        return os.urandom(size // 2).hex()


@queue.task
async def nap_noise(key: str, size: int) -> str:
    with noted(key):
        return os.urandom(size // 2).hex()


@queue.task
def hog(key: str, mebibytes: int) -> int:
    """Take so much memory."""
    with noted(key):
        return len(b"x" * (mebibytes << 20))


@queue.task
def poison(key: str, how: str) -> None:
    """End this process, or the one above it."""
    append(os.environ["RUNS"], "begin", key, os.getpid(), time.monotonic())
    append(os.environ["DEATHS"], "poison", time.monotonic(), os.getpid())
    match how:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(0)
        case "parent":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)


@queue.task
async def nap_poison(key: str, how: str) -> None:
    poison.function(key, how)


@queue.task
def die_once(key: str) -> str:
    """End this process the first time."""
    try:
        Path(f"{os.environ['RUNS']}.{key}").touch(exist_ok=False)
    except FileExistsError:
        return str(work.function(key))
    poison.function(key, "kill")
    return ""
