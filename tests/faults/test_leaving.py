"""Promise 8 for who enqueues: a primary that takes no writes is left, for it may be none any more.

It need not be told that it was: cut off from its replicas and Sentinels, it goes on for as long as
it runs, and whoever stays with it waits for nothing.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.faults import app
from tests.faults.conftest import OwnRedis
from tests.faults.servers import Server

from msgqueue.connection import Source

Replace = Callable[[], None]


@pytest.fixture
def servers(own_redis: OwnRedis) -> tuple[Server, Server]:
    """A primary and the next one."""
    return own_redis(), own_redis()


@pytest.fixture
def replace(
    own_redis: OwnRedis, servers: tuple[Server, Server], short_path: Path
) -> Iterator[Replace]:
    """`replace()` has Sentinel name the next primary; the first takes no writes, and lives on.

    The queue of the tests asks this Sentinel.
    """
    first, second = servers
    config = short_path / "sentinel"
    config.write_text(f"sentinel monitor main 127.0.0.1 {first.port} 1\n")
    sentinel = own_redis(str(config), "--sentinel")

    def replace() -> None:
        with first.client() as client, sentinel.client() as watch:
            client.config_set("min-replicas-to-write", 1)
            watch.sentinel_remove("main")
            watch.sentinel_monitor("main", "127.0.0.1", second.port, 1)

    source = Source(f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0")
    with app.queue.diverted(source):
        yield replace
    source.close()


def has(server: Server, key: str) -> bool:
    with server.client() as client:
        return bool(client.exists(f"rq:job:{key}"))


def test_promise_8_who_enqueues_leaves_a_primary_that_takes_no_writes(
    servers: tuple[Server, Server], replace: Replace
) -> None:
    app.work.options(job_id="before").enqueue("before")
    replace()
    app.work.options(job_id="after").enqueue("after")
    assert [has(servers[0], "before"), has(servers[1], "after")] == [True, True]


def test_promise_8_who_enqueues_in_an_event_loop_leaves_it_too(
    servers: tuple[Server, Server], replace: Replace
) -> None:
    async def enqueue() -> None:
        await app.work.options(job_id="before").enqueue_async("before")
        replace()
        await app.work.options(job_id="after").enqueue_async("after")

    asyncio.run(enqueue())
    assert [has(servers[0], "before"), has(servers[1], "after")] == [True, True]
