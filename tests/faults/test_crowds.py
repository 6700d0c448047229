"""Promises 1, 2 and 5 where there are many jobs: due at once, or waiting in one queue."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.faults import app
from tests.faults.conftest import Judge
from tests.faults.trial import Trial

from msgqueue import JobStatus

LOOK = 0.05  # seconds for a page of 50 jobs, and for counts, of a queue of any length
TOGETHER = 10_000  # jobs that are made before they are enqueued


def fill(trial: Trial, count: int, **options: Any) -> None:
    """Enqueue so many jobs."""
    task = app.work.options(**options)
    with trial.speaking():
        for first in range(0, count, TOGETHER):
            keys = [f"job-{n}" for n in range(first, min(first + TOGETHER, count))]
            for key in keys:
                trial.books.attempt(key)
            app.queue.enqueue_many(task.options(job_id=key).spec(key) for key in keys)
            trial.books.acknowledge(keys)


def seconds_of(act: Callable[[], object]) -> float:
    """How long something takes where nothing comes in between."""

    def seconds() -> float:
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    return min(seconds() for _ in range(9))


def monotonic_of(moment: datetime) -> float:
    """What the monotonic clock told at a moment."""
    return time.monotonic() - (datetime.now(UTC) - moment).total_seconds()


@pytest.mark.faults
@pytest.mark.parametrize("count", [5_000, 50_000])
def test_promise_1_all_that_is_due_at_once_runs_once(
    trial: Trial, judge: Judge, count: int
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1 + count / 5_000)
    fill(trial, count, at=due)
    for _ in range(2):
        trial.start(processes=1)

    verdict = judge(f"F16 {count:,} due at once", trial, within=240)

    assert verdict.duplicated == ()
    assert min(run.began for runs in trial.books.runs.values() for run in runs) > monotonic_of(due)


@pytest.mark.faults
def test_promise_1_all_that_is_due_is_queued_though_who_queues_it_dies(
    trial: Trial, judge: Judge
) -> None:
    for _ in range(2):
        trial.start(processes=1)
    trial.produce(5_000, delayed=1.0, seconds=0.0)

    def kill() -> None:
        if len(trial.books.strikes) < 6 and trial.kill_supervisor():
            trial.start(processes=1)

    trial.rage(kill, (0.3, 1.0))

    assert judge("F16 due, and supervisors killed", trial, within=60).duplicated == ()


@pytest.mark.faults
@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_a_long_queue_is_looked_at_as_a_short_one_and_worked_in_order(
    trial: Trial, count: int
) -> None:
    fill(trial, count, queue="first")
    with trial.speaking():
        page = app.queue.jobs(JobStatus.QUEUED, queue="first", limit=50)
        assert page.items[0].id == f"job-{count - 1}"
        middle = app.queue.jobs(JobStatus.QUEUED, queue="first", limit=50, cursor=page.next_cursor)
        assert middle.items[0].id == f"job-{count - 51}"
        for look in (
            lambda: app.queue.jobs(JobStatus.QUEUED, queue="first", limit=50),
            lambda: app.queue.jobs(JobStatus.QUEUED, limit=50, cursor=page.next_cursor),
            app.queue.counts,
            lambda: app.queue.job(f"job-{count // 2}"),
        ):
            assert seconds_of(look) < LOOK
        for number in (0, count // 2, count - 1):
            assert app.queue.cancel(f"job-{number}") is JobStatus.CANCELED
        assert app.queue.counts()[JobStatus.QUEUED] == count - 3
    trial.start(processes=1, claim=1, queues=["first"])

    trial.wait_for_begin("job-300")

    begun = sorted(trial.books.runs.items(), key=lambda item: item[1][0].began)
    assert [key for key, _ in begun[:299]] == [f"job-{number}" for number in range(1, 300)]
