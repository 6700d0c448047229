"""Plain functions of an rq deployment that has never heard of msgqueue."""

import os
import time
from pathlib import Path
from typing import Any

from rq import get_current_job


def note(text: object) -> None:
    """Append a line to the test's file, in one write."""
    fd = os.open(os.environ["NOTES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(fd, f"{text}\n".encode())
    os.close(fd)


def add(a: int, b: int) -> int:
    return a + b


def union(a: set[int], b: set[int]) -> set[int]:
    return a | b


def fail(text: str) -> None:
    raise ValueError(text)


def sleep(seconds: float, text: str = "") -> None:
    if text:
        note(text)
    time.sleep(seconds)


async def double(number: int) -> int:
    return 2 * number


def own_id() -> str:
    job = get_current_job()
    assert job is not None
    job.meta["seen"] = True
    job.save_meta()  # type: ignore[no-untyped-call]
    return str(job.id)


class Counter:
    """Its methods run as jobs, too."""

    def __init__(self, start: int) -> None:
        self.start = start

    def plus(self, number: int) -> int:
        return self.start + number


def die() -> None:
    os._exit(7)


def pids() -> tuple[int, int]:
    return os.getpid(), os.getppid()


def touch(path: str) -> None:
    Path(path).touch()


def succeeded(job: Any, connection: Any, result: Any) -> None:
    note(f"{job.id} gave {result}")


def failed(job: Any, connection: Any, kind: Any, error: Any, trace: Any) -> None:
    note(f"{job.id} raised {kind.__name__}")


def stopped(job: Any, connection: Any) -> None:
    note(f"{job.id} stopped")
