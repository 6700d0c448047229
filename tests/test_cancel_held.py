"""Cancelling a job that a worker holds and has not begun."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.conftest import Eventually
from tests.store.conftest import Child, entry, now_text

from msgqueue import JobStatus, TaskQueue
from msgqueue.store import steps


@pytest.fixture
async def queue(url: str) -> AsyncIterator[TaskQueue]:
    async with TaskQueue(url) as queue:
        yield queue


def nothing() -> None:
    """Never runs here."""


@pytest.mark.anyio
async def test_its_status_is_told_though_it_leaves_no_result(
    queue: TaskQueue, eventually: Eventually
) -> None:
    job = await queue.task(nothing).enqueue_async()
    child = Child(queue.store)
    [claimed] = child.claim()
    cancelling = asyncio.create_task(job.cancel_async())
    asked = queue.source.client()
    await asyncio.to_thread(eventually, lambda: asked.hget(f"rq:job:{job.id}", "mq_stop"))
    queue.store.run(steps.release([entry(claimed)], now_text()))
    assert await cancelling is JobStatus.CANCELED
