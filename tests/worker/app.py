"""The tasks that the worker's tests run; its Redis is named by the environment."""

import asyncio
import ctypes
import os
import re
import resource
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from rq import get_current_job

from msgqueue import Retry, TaskQueue, current_job

queue = TaskQueue(queues=("high", "default"))


@queue.task
def add(a: int, b: int) -> int:
    return a + b


@queue.task
def nothing() -> None:
    return None


@queue.task(keep_none=False)
def maybe(value: int | None) -> int | None:
    return value


@queue.task
def fail(text: str) -> None:
    raise ValueError(text)


@queue.task
def weekday(moment: datetime) -> int:
    return moment.weekday()


@queue.task
def note(text: str | int) -> None:
    """Append a line to the test's file, in one write."""
    line = f"{text}\n".encode()
    fd = os.open(os.environ["NOTES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(fd, line)
    os.close(fd)


@queue.task
def note_slowly(number: int) -> None:
    """Note that it begins, and take four milliseconds."""
    note.function(number)
    time.sleep(0.004)


@queue.task
def note_success(job: Any, connection: Any, result: Any) -> None:
    note(f"{job.id} gave {result}")


@queue.task
def note_failure(job: Any, connection: Any, kind: Any, error: Any, trace: Any) -> None:
    note(f"{job.id} raised {kind.__name__}")


@queue.task
def sleep(seconds: float, text: str = "") -> float:
    if text:
        note(text)
    time.sleep(seconds)
    return seconds


@queue.task
async def nap(seconds: float, text: str = "") -> float:
    if text:
        note(text)
    await asyncio.sleep(seconds)
    return seconds


@queue.task
async def nap_telling(seconds: float, name: str) -> float:
    """Note the attempt that this run is: errors, and deaths that were counted, come before it."""
    job = current_job()
    assert job is not None
    await job.refresh_async()
    assert job.info is not None
    note(f"{name}: attempt {job.info.attempt}")
    await asyncio.sleep(seconds)
    return seconds


@queue.task
async def meet(key: str, count: int) -> None:
    """End when so many run at once."""
    client = queue.source.client()
    client.incr(key)
    while int(client.get(key) or 0) < count:  # noqa: ASYNC110 - the others may be elsewhere
        await asyncio.sleep(0.05)


@queue.task
async def own_pid_async() -> int:
    return os.getpid()


@queue.task
def own_pid() -> int:
    return os.getpid()


LEAKED: list[bytearray] = []


@queue.task
def leak(mib: int) -> int:
    """Keep memory beyond the end of the job."""
    LEAKED.append(bytearray(b"x") * (mib << 20))
    return os.getpid()


@queue.task
def hoard(mib: int) -> None:
    """Take memory, and go on."""
    leak.function(mib)
    time.sleep(60)


@queue.task
async def hoard_async(mib: int) -> None:
    hoard.function(mib)


@queue.task
def out_of_memory() -> None:
    """Run into the limit of the process itself."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, most))
    leak.function(4096)


@queue.task
async def stubborn_nap() -> None:
    """Sleep on through every cancellation."""
    note("stubborn")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


@queue.task(retry=Retry(max=3))
def succeed_at(attempt: int, key: str) -> int:
    tries = queue.source.client().incr(key)
    if tries < attempt:
        raise RuntimeError(f"try {tries}")
    return int(tries)


@queue.task
def own_ids() -> list[str]:
    job, rq_job = current_job(), get_current_job()
    if job is None or rq_job is None:
        return []
    return [job.id, rq_job.id, rq_job.fetch(rq_job.id, rq_job.connection).id]


@queue.task
async def own_ids_async() -> list[str]:
    await asyncio.sleep(0.01)
    return await asyncio.to_thread(own_ids.function)


@queue.task(timeout=1)
def loop_in_python() -> None:
    while True:
        pass


@queue.task(timeout=1)
def loop_in_c() -> int:
    return sum(range(10**12))  # looks at no signal, lets no thread in


@queue.task(timeout=1)
def match_for_ever() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


@queue.task(timeout=1)
def swallow_everything() -> None:
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001, S112 - what the test is about
            continue


@queue.task(timeout=1)
async def nap_too_long() -> None:
    await asyncio.sleep(60)


@queue.task(timeout=1)
async def hold_the_loop() -> None:
    time.sleep(60)  # noqa: ASYNC251 - what the test is about


@queue.task
async def hold_the_loop_for_long() -> None:
    note("holds")
    time.sleep(60)  # noqa: ASYNC251 - what the test is about


@queue.task
def hold_the_interpreter() -> int:
    note("holds")
    return sum(range(10**12))


@queue.task
async def die_async(how: str) -> None:
    die.function(how)


@queue.task
def power() -> int:
    note("holds")
    return int(pow(7, 10**9))


@queue.task
async def power_async() -> int:
    note("holds")
    return int(pow(7, 10**9))


@queue.task
def sleep_in_c() -> None:
    """Sleep in C with the interpreter held, deaf to every signal that a process can refuse."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    note("holds")
    ctypes.PyDLL(None).sleep(60)


@queue.task
def die(how: str) -> None:
    """End the process in one of many ways."""
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "exit":
        os._exit(0)
    else:
        os.kill(os.getpid(), signal.SIGKILL)


@queue.task
def die_once(key: str) -> str:
    if queue.source.client().incr(key) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


@queue.task
def environment() -> list[str]:
    return [name for name in os.environ if name.startswith("MSGQUEUE_")]


@queue.task
def touch(path: str) -> None:
    Path(path).touch()
