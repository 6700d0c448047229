"""What a supervisor looks at before it starts, and how many of them wake at once."""

import logging
from collections.abc import Iterator

import pytest
import redis
from tests.worker.test_calls import go_on

from msgqueue import Supervisor, TaskQueue
from msgqueue.connection import Source
from msgqueue.store import steps
from msgqueue.store.policy import eviction
from msgqueue.store.run import Store
from msgqueue.worker.calls import Calls
from msgqueue.worker.crowd import SPREAD, Crowd


@pytest.fixture
def evicting(client: redis.Redis) -> Iterator[None]:
    client.config_set("maxmemory-policy", "allkeys-lru")
    yield
    client.config_set("maxmemory-policy", "noeviction")


def warnings(url: str, caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    with caplog.at_level(logging.WARNING):
        Supervisor(TaskQueue(url))._greet()
    return [getattr(record, "facts", {}) for record in caplog.records]


def test_a_server_that_drops_keys_is_warned_of(
    url: str, evicting: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert warnings(url, caplog) == [
        {
            "policy": "allkeys-lru",
            "cure": "set maxmemory-policy noeviction: this one drops jobs when memory is full",
        }
    ]


def test_a_server_that_drops_none_is_not(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert warnings(url, caplog) == []


def test_who_may_not_ask_gets_no_warning(url: str, client: redis.Redis, evicting: None) -> None:
    client.acl_setuser(
        "worker", enabled=True, passwords=["+pw"], keys=["*"], channels=["*"],
        categories=["+@all"], commands=["-info", "-config"],
    )  # fmt: skip
    source = Source(f"{url}?username=worker&password=pw")
    assert source.client().ping() is True
    assert eviction(source) is None
    source.close()
    client.acl_deluser("worker")


def test_supervisors_are_counted_by_their_childrens_names(
    store_of: Store, client: redis.Redis
) -> None:
    for host in range(4):
        for lane in ("0a", "0b"):
            client.sadd("rq:workers", f"rq:worker:msgqueue.host.{host}.{lane}")
    client.sadd("rq:workers", "rq:worker:0123456789abcdef")

    assert store_of.run(steps.supervisors()) == 4


@pytest.fixture
def store_of(source: Source) -> Iterator[Store]:
    store = Store(source)
    yield store
    store.close()


@pytest.mark.parametrize(("supervisors", "spread"), [(1, False), (10, False), (11, True)])
def test_many_supervisors_do_not_wake_in_the_same_moment(
    calls: Calls, client: redis.Redis, supervisors: int, spread: bool
) -> None:
    client.sadd("rq:workers", *(f"rq:worker:msgqueue.host.{n}.0a" for n in range(supervisors)))
    crowd = Crowd(calls)
    crowd.look()
    go_on(calls)

    pauses = [crowd.pause() for _ in range(1000)]

    assert 0 <= min(pauses) <= max(pauses) <= SPREAD
    assert (len(set(pauses)) > 900) is spread
