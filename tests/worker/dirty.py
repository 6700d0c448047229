"""Tasks that leave the process other than they found it, each in its way."""

import asyncio
import contextlib
import io
import locale
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from tests.worker.app import note, queue


@queue.task
def surroundings() -> dict[str, Any]:
    """What a job sees of its process."""
    print("a job may print", flush=True)  # noqa: T201 - it must not raise
    return {
        "directory": os.getcwd(),  # noqa: PTH109 - what tasks do
        "environment": os.environ.get("DIRT"),
        "path": os.environ.get("PATH"),
        "of children": os.popen("echo $DIRT").read(),  # noqa: S605 - a shell of its own
        "umask": os.umask(0o22) and os.umask(0o22),
        "locale": locale.setlocale(locale.LC_ALL),
        "handlers": [handler(number) for number in sorted(signal.valid_signals())],
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "output": [sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
        "files": [os.fstat(fd).st_ino for fd in (0, 1, 2)],
        "threads": sorted(t.name for t in threading.enumerate() if not t.daemon),
        "memory": resource.getrlimit(resource.RLIMIT_AS),
    }


def handler(number: int) -> str:
    handler = signal.getsignal(number)
    return getattr(handler, "__qualname__", str(handler))


def change_environment() -> None:
    os.environ["DIRT"] = "1"
    os.environ.pop("PATH")
    os.putenv("DIRT", "1")


def change_handlers() -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.alarm(1)


def replace_descriptor() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def leave_thread() -> None:
    threading.Thread(target=time.sleep, args=(30,), name="left").start()


def close_everything() -> None:
    os.closerange(0, 1024)


def limit_memory() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, most))


WAYS: dict[str, Callable[[], object]] = {
    "directory": lambda: os.chdir("/"),
    "environment": change_environment,
    "umask": lambda: os.umask(0),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "handlers": change_handlers,
    "blocked": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]),
    "output": lambda: setattr(sys, "stdout", io.StringIO()),
    "no output": lambda: setattr(sys, "stdout", None),
    "closed output": lambda: sys.stdout.close(),  # noqa: PLW0108 - looked up when it is called
    "descriptor": replace_descriptor,
    "thread": leave_thread,
    "closed": close_everything,
    "closed but standard": lambda: os.closerange(3, 1024),
    "memory": limit_memory,
}


@queue.task
def make_dirty(how: str) -> str:
    WAYS[how]()
    return how


@queue.task
async def make_dirty_async(how: str) -> str:
    WAYS[how]()
    return how


@queue.task
def leave_a_fork() -> list[int]:
    """Return in both processes."""
    forked = os.fork()
    note.function("forked" if forked == 0 else "parent")
    return [os.getpid(), forked]


@queue.task
async def leave_a_fork_async() -> list[int]:
    return list(leave_a_fork.function())


@queue.task
async def leave_a_fork_that_awaits() -> list[int]:
    forked = os.fork()
    await asyncio.sleep(0.01)
    note.function("forked" if forked == 0 else "parent")
    return [os.getpid(), forked]


@queue.task
def use_a_process() -> int:
    process = multiprocessing.get_context("fork").Process(target=note.function, args=("forked",))
    process.start()
    process.join()
    return process.exitcode or 0


class Odd(Exception):
    """An exception that can neither be told nor pickled."""

    def __init__(self, one: str, *, two: object) -> None:
        self.one, self.two = one, two

    def __str__(self) -> NoReturn:  # noqa: PLE0307 - what the test is about
        sys.exit("told")

    __repr__ = __str__

    def __reduce__(self) -> NoReturn:
        raise RuntimeError("pickled")


def raise_(error: BaseException) -> NoReturn:
    raise error


def circle() -> list[Any]:
    one: list[Any] = []
    one.append(one)
    return one


def deep() -> list[Any]:
    one: list[Any] = []
    for _ in range(100_000):
        one = [one]
    return one


ENDS: dict[str, Callable[[], object]] = {
    "object": object,
    "circle": circle,
    "deep": deep,
    "surrogate": lambda: raise_(ValueError("\ud800")),
    "odd": lambda: raise_(Odd("one", two=threading.Lock())),
    "exit": lambda: sys.exit(3),
    "interrupt": lambda: raise_(KeyboardInterrupt()),
    "generator exit": lambda: raise_(GeneratorExit()),
    "group": lambda: raise_(BaseExceptionGroup("some", [KeyboardInterrupt(), Odd("", two=0)])),
}


@queue.task
def end_oddly(how: str) -> Any:
    return ENDS[how]()


@queue.task
async def end_oddly_async(how: str) -> Any:
    await asyncio.sleep(0)
    return ENDS[how]()


@queue.task
def redirect_for_a_while() -> float:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.chdir("/"):
        time.sleep(0.5)
        return float(os.getcwd() == "/")  # noqa: PTH109 - what tasks do
