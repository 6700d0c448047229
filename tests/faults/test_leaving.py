"""Promise 8: a primary that takes no writes is left, for it may be none any more.

It need not be told that it was: cut off from its replicas and Sentinels, it goes on for as long as
it runs, and whoever stays with it waits for nothing.
"""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.faults import app
from tests.faults.conftest import OwnRedis
from tests.faults.servers import Server
from tests.patience import wait_until
from tests.store.conftest import Child

from msgqueue.connection import Source
from msgqueue.store import steps
from msgqueue.store.link import Link
from msgqueue.store.run import Store
from msgqueue.worker.exchange import Exchange
from msgqueue.worker.journal import Journal, JournalWriter

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


def open_connections(server: Server, count: int) -> None:
    """Have as many threads read at the same time, over a connection each."""
    with server.client() as client, ThreadPoolExecutor(count) as threads:
        client.client_pause(20_000, all=False)
        answers = [threads.submit(app.queue.counts) for _ in range(count)]
        try:
            wait_until(lambda: client.info("clients")["blocked_clients"] == count, 5)
        finally:
            client.client_unpause()
        for answer in answers:
            answer.result()


def test_promise_8_no_connection_to_a_primary_that_takes_no_writes_is_kept(
    servers: tuple[Server, Server], replace: Replace
) -> None:
    open_connections(servers[0], 20)
    replace()
    app.work.options(job_id="after").enqueue("after")
    assert has(servers[1], "after")


def test_promise_8_a_child_leaves_a_primary_that_knows_it_no_more(
    servers: tuple[Server, Server], replace: Replace
) -> None:
    """One that was cut off for a minute knows no worker any more."""
    with (
        closing(Store(Source(servers[1].url))) as store,
        closing(Link(app.queue.source)) as link,
        closing(Journal(multiprocessing.get_context("fork"))) as journal,
    ):
        lane = Child(store).lane
        link.call(steps.counts(app.QUEUES))
        replace()
        tries = iter(range(5))
        exchange = Exchange(
            link, lane, JournalWriter(journal), lambda _pause, _owing: next(tries) < 4
        )
        assert exchange.call(app.QUEUES, 1) == []
