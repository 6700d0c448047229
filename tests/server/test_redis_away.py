"""What the server answers while Redis takes no jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from fastapi.testclient import TestClient
from tests.conftest import ServerAt
from tests.server import tasks

from msgqueue import TaskQueue
from msgqueue.connection import Source
from msgqueue.server import create_app


@pytest.fixture
def client(server_at: ServerAt, short_path: Path) -> redis.Redis:
    """A client of a Redis that the test may spoil."""
    return Source(server_at(short_path / "home").url).client()


@pytest.fixture
def api(server_at: ServerAt, short_path: Path, client: redis.Redis) -> Iterator[TestClient]:
    """A server on that Redis."""
    queue = TaskQueue(server_at(short_path / "home").url)
    queue.task(tasks.add)
    with TestClient(create_app(queue, auth=None), base_url="http://127.0.0.1:8080") as api:
        yield api


def test_a_full_redis_is_a_503_for_new_jobs_alone(client: redis.Redis, api: TestClient) -> None:
    client.config_set("maxmemory", 1)

    answer = api.post("/v1/jobs", json={"task": "add", "args": [1, 2]})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["type"].endswith("queue-full")
    assert api.get("/v1/jobs").status_code == 200
    assert api.get("/healthz").json() == {"status": "ok"}


def test_a_redis_that_takes_no_writes_makes_the_server_unhealthy_until_it_does(
    client: redis.Redis, api: TestClient
) -> None:
    client.replicaof("127.0.0.1", "1")

    assert api.get("/healthz").status_code == 503
    assert api.get("/v1/jobs").status_code == 200

    client.replicaof("NO", "ONE")
    assert api.get("/healthz").json() == {"status": "ok"}
    assert client.dbsize() == 0
