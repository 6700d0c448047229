"""A queue with a few tasks on the real server, and a hand that does a worker's steps."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.server import tasks

from msgqueue import TaskQueue
from msgqueue.jobs import Claimed, Outcome
from msgqueue.server import ApiKeys, create_app
from msgqueue.store import steps
from msgqueue.store.messages import Lane, Worker

KEY = "a-key-of-the-tests"
HEADERS = {"X-API-Key": KEY}
LANE = Lane("0123456789ab", "test.1.0123456789ab")
WORKER = Worker(("default",), 1, "test", "127.0.0.1", "3", "3.11", "2026-11-24T00:00:00.000000Z")
NOW = "2026-11-24T00:00:00.000000Z"


class Hand:
    """Claims jobs and reports outcomes, as a worker's child does."""

    def __init__(self, queue: TaskQueue) -> None:
        self.queue, self.seq = queue, 0
        queue.store.run(steps.register(LANE, WORKER, NOW))

    def work(self, count: int, *outcomes: Outcome) -> tuple[Claimed, ...]:
        self.seq += 1
        step = steps.work(LANE, self.seq, outcomes, self.queue.names, count, NOW)
        return self.queue.store.run(step).claimed

    def end(self, kind: Any, value: bytes) -> Claimed:
        """Run the next job to this end."""
        (claimed,) = self.work(1)
        now = time.time()
        outcome = Outcome(claimed.queue, claimed.id, claimed.execution, kind, value, now, now)
        self.work(0, outcome)
        return claimed


@pytest.fixture
def queue(url: str) -> Iterator[TaskQueue]:
    queue = TaskQueue(url, queues=("default", "high"))
    for function in (tasks.add, tasks.take, tasks.fail):
        queue.task(function)
    yield queue
    queue.close()


@pytest.fixture
def hand(queue: TaskQueue) -> Hand:
    return Hand(queue)


@pytest.fixture
def app(queue: TaskQueue) -> FastAPI:
    return create_app(queue, auth=ApiKeys([KEY]), default_task="take")


@pytest.fixture
def api(app: FastAPI) -> Iterator[TestClient]:
    """A client with a key."""
    with TestClient(app, headers=HEADERS) as client:
        yield client


@pytest.fixture
def stranger(app: FastAPI) -> Iterator[TestClient]:
    """A client without a key."""
    with TestClient(app) as client:
        yield client


@pytest.fixture
def open_api(queue: TaskQueue) -> Iterator[TestClient]:
    """The server without keys, as on loopback."""
    with TestClient(create_app(queue, auth=None), base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.fixture
def written(queue: TaskQueue) -> Callable[[], int]:
    """How many keys are in Redis."""
    return lambda: int(queue.source.client().dbsize())
