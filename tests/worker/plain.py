"""Plain functions and classes of an rq deployment."""

import os
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from rq import Queue, Retry, get_current_job
from rq.job import Job
from rq.timeouts import JobTimeoutException
from tests.patience import wait_until

from msgqueue import RqWorker


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


def note_to(notes: Path, text: str) -> None:
    """Append a line to a test's file from the test itself."""
    with notes.open("a") as file:
        file.write(f"{text}\n")


def wait_for(line: str) -> str:
    """Wait until the test has written a line."""
    note("waits")
    wait_until(lambda: line in Path(os.environ["NOTES"]).read_text().splitlines(), 60)
    note("over")
    return line


def wait_and_fail(line: str) -> None:
    wait_for(line)
    raise ValueError(line)


async def double(number: int) -> int:
    return 2 * number


def own_id() -> str:
    job = get_current_job()
    assert job is not None
    job.meta["seen"] = True
    job.save_meta()  # type: ignore[no-untyped-call] # rq's
    return str(job.id)


class Counter:
    """Its methods run as jobs, too."""

    def __init__(self, start: int) -> None:
        self.start = start

    def plus(self, number: int) -> int:
        return self.start + number


def power() -> int:
    note("holds")
    return int(pow(7, 10**9))


def sleep_deaf() -> None:
    """Go on however often the time limit is told."""
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001, S112 - what the test is about
            continue


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


def handle(job: Any, kind: Any, error: Any, trace: Any) -> bool:
    """An exception handler that lets no other one see the error."""
    note(f"handled {kind.__name__} of {job.id}")
    return False


def handle_too(job: Any, kind: Any, error: Any, trace: Any) -> None:
    note("handled too")


def again(times: int) -> Retry:
    """Ask for another run, which rq ends after so many."""
    note("run")
    return Retry(max=times)


def nothing() -> None:
    return None


def slow_failed(job: Any, connection: Any, kind: Any, error: Any, trace: Any) -> None:
    time.sleep(2.5)
    note(f"{job.id} raised {kind.__name__}")


def broken(job: Any, connection: Any, result: Any) -> None:
    raise RuntimeError("the callback is broken")


def catch_timeout() -> None:
    try:
        time.sleep(30)
    except JobTimeoutException:
        note("cleaned up")
        raise


def killed(job: Any, pid: int, status: int, usage: Any) -> None:
    note(f"{job.id} killed: {os.waitstatus_to_exitcode(status)}, {pid > 0}, {usage.ru_maxrss > 0}")


class WatchedWorker(RqWorker):
    """Hears of jobs whose process ended under them, and would like to beat by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "work_horse_killed_handler": killed})

    def heartbeat(self, *_: Any, **__: Any) -> None:
        note("beat")


class OwnWorker(RqWorker):
    """A worker class of a user, who heeds how jobs end."""

    def handle_job_success(self, job: Any, *args: Any, **kwargs: Any) -> None:
        note(f"success of {job.id}")
        super().handle_job_success(job, *args, **kwargs)

    def perform_job(self, job: Any, *args: Any, **kwargs: Any) -> bool:
        note("perform")
        return bool(super().perform_job(job, *args, **kwargs))

    def main_work_horse(self, *_: Any) -> None:
        note("never")


class LoudJob(Job):
    """A job class that takes part in running its jobs."""

    def perform(self) -> Any:
        note("performed")
        return super().perform()


class FarJob(Job):
    redis_job_namespace_prefix = "far:job:"


class NamedQueue(Queue):
    pass


QUEUES = ["from-file"]
NAME = "of-the-file"


def load_django(*, configured: bool = True) -> None:
    """What stands for Django is imported by a job: with a project's settings, or without any."""

    def close_old_connections() -> None:
        if not configured:
            raise RuntimeError("Requested setting DATABASES, but settings are not configured.")
        note("closed")

    conf: Any = ModuleType("django.conf")
    conf.settings = SimpleNamespace(configured=configured)
    database: Any = ModuleType("django.db")
    database.close_old_connections = close_old_connections
    sys.modules |= {"django.conf": conf, "django.db": database}
