"""One round of one contender: what is done, and which times count."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import quantiles

from msgqueue.bench.contenders import Contender
from msgqueue.errors import MsgqueueError
from msgqueue.jobs import JobInfo, JobStatus

PAUSE = 0.02
"""Seconds between the jobs of an idle queue."""
PATIENCE = 300.0
"""Seconds after which a measurement that does not end is given up."""
LOOK = 0.05
"""Seconds between two looks at how far the workers are."""
PAGE = 1000

Show = Callable[[str, float], None]
"""Draws what is being done, and how much of it is."""


@dataclass(frozen=True)
class Sizes:
    """How many jobs each measurement takes."""

    drained: int
    single: int
    idle: int


@dataclass(frozen=True)
class Round:
    """The figures of one round; rates in jobs a second, times in milliseconds."""

    drained: float
    enqueued_in_bulk: float
    enqueued_singly: float
    start_p50: float
    start_p99: float


def measure(contender: Contender, sizes: Sizes, show: Show) -> Round:
    """Take every figure once, each on an empty database."""
    contender.clear()
    in_bulk = _enqueue_in_bulk(contender, sizes.drained, show)
    drained = _drain(contender, sizes.drained, show)
    contender.clear()
    singly = _enqueue_singly(contender, sizes.single, show)
    contender.clear()
    p50, p99 = _start_on_an_idle_queue(contender, sizes.idle, show)
    contender.clear()
    return Round(drained, in_bulk, singly, p50, p99)


def _enqueue_in_bulk(contender: Contender, jobs: int, show: Show) -> float:
    show("enqueues in bulk", 0)
    began = time.perf_counter()
    contender.enqueue_many(jobs)
    return jobs / (time.perf_counter() - began)


def _drain(contender: Contender, jobs: int, show: Show) -> float:
    """Run what waits; count from the first start to the last end, by the jobs' own times."""
    with contender.workers():
        _wait_for(contender, jobs, show)
    done = list(_finished(contender))
    began = min(job.started_at.timestamp() for job in done if job.started_at)
    ended = max(job.ended_at.timestamp() for job in done if job.ended_at)
    return len(done) / (ended - began)


def _enqueue_singly(contender: Contender, jobs: int, show: Show) -> float:
    show("enqueues one by one", 0)
    began = time.perf_counter()
    for _ in range(jobs):
        contender.enqueue()
    return jobs / (time.perf_counter() - began)


def _start_on_an_idle_queue(contender: Contender, jobs: int, show: Show) -> tuple[float, float]:
    """Enqueue one job each 20 ms; p50 and p99 of the time from that call to the job's start."""
    called: dict[str, float] = {}
    with contender.workers():
        contender.enqueue()
        _wait_for(contender, 1, show)
        for number in range(jobs):
            time.sleep(PAUSE)
            now = time.time()
            called[contender.enqueue()] = now
            show("jobs on an idle queue", number / jobs)
        _wait_for(contender, jobs + 1, show)
    waits = [
        1000 * (job.started_at.timestamp() - called[job.id])
        for job in _finished(contender)
        if job.started_at and job.id in called
    ]
    percentiles = quantiles(waits, n=100)
    return percentiles[49], percentiles[98]


def _wait_for(contender: Contender, jobs: int, show: Show) -> None:
    deadline = time.monotonic() + PATIENCE
    while (done := contender.finished()) < jobs:
        if time.monotonic() > deadline:
            raise MsgqueueError(
                f"{contender.name}: {done:,} of {jobs:,} jobs were done after {PATIENCE:.0f} s"
            )
        show("runs jobs", done / jobs)
        time.sleep(LOOK)


def _finished(contender: Contender) -> Iterator[JobInfo]:
    cursor = None
    while True:
        page = contender.queue.jobs(JobStatus.FINISHED, limit=PAGE, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
