"""Coroutines that sleep 50 ms, one process: how many a second of those that are possible.

Run it in this folder: python async_lane.py [CONCURRENCY...]. Counted from the first start to the
last end, by the jobs' own times; the CPU time is that of the child alone.
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from msgqueue import JobStatus, TaskQueue

NAP = 0.05  # seconds
SECONDS = 5  # of work at full speed
LOOK = 0.1  # seconds between two looks at how far it is

queue = TaskQueue()


@queue.task(result_ttl=3600)
async def nap() -> None:
    await asyncio.sleep(NAP)


@queue.task
def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    for concurrency in map(int, sys.argv[1:] or ("100", "200")):
        with TemporaryDirectory(prefix="msgqueue-async-") as folder:
            os.environ["MSGQUEUE_HOME"] = folder
            with TaskQueue() as looks:  # keeps the embedded server; the worker shares it
                trial(looks, concurrency)


def trial(looks: TaskQueue, concurrency: int) -> None:
    possible = concurrency / NAP
    total = int(possible * SECONDS)
    task = looks.task(result_ttl=3600)(nap.function)
    cpu = looks.task(cpu_seconds.function)
    worker = start(concurrency)
    try:
        before = cpu.enqueue().result(timeout=30)
        looks.enqueue_many(task.spec() for _ in range(total))
        while looks.counts()[JobStatus.FINISHED] <= total:
            time.sleep(LOOK)
        after = cpu.enqueue().result(timeout=30)
    finally:
        worker.terminate()
        worker.wait()
    began, ended = span(looks)
    rate, cpu_a_job = total / (ended - began), (after - before) / total
    print(
        f"concurrency {concurrency}: {rate:,.0f}/s of {possible:,.0f} possible,"
        f" {rate / possible:.1%}; {cpu_a_job * 1e6:.0f} us of the child's CPU a job"
    )


def span(looks: TaskQueue) -> tuple[float, float]:
    """The first start and the last end of the naps."""
    began, ended, cursor = float("inf"), 0.0, None
    while True:
        page = looks.jobs(JobStatus.FINISHED, limit=1000, cursor=cursor)
        for job in page.items:
            if job.task == "nap" and job.started_at and job.ended_at:
                began = min(began, job.started_at.timestamp())
                ended = max(ended, job.ended_at.timestamp())
        cursor = page.next_cursor
        if cursor is None:
            return began, ended


def start(concurrency: int) -> subprocess.Popen[bytes]:
    command = ("-m", "msgqueue.cli", "worker", f"{Path(__file__).stem}:queue")
    return subprocess.Popen(
        [sys.executable, *command, "--concurrency", str(concurrency)],
        cwd=Path(__file__).parent,
        env={**os.environ, "MSGQUEUE_LOG_LEVEL": "warning"},
    )


if __name__ == "__main__":
    main()
