"""How failures of Redis reach the caller, and that a lost reply is sent again."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from tests.store.conftest import Child, Spec, now_text, ok

from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer
from msgqueue.errors import QueueFull, RedisRefused, RedisUnavailable, ValueTooLarge
from msgqueue.jobs import JobSpec, JobStatus
from msgqueue.store import listing, steps
from msgqueue.store.failures import failure
from msgqueue.store.link import Link
from msgqueue.store.run import AsyncStore, Store
from msgqueue.store.steps import Step


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_redis_that_cannot_be_reached_is_told_with_its_address(spec: Spec) -> None:
    port = free_port()
    store = Store(Source(f"redis://user:secret@127.0.0.1:{port}/0"), retry_for=0.1)
    with pytest.raises(RedisUnavailable, match=f"127.0.0.1:{port}") as caught:
        store.run(steps.enqueue([spec()]))
    assert "secret" not in str(caught.value)


@pytest.mark.anyio
async def test_the_async_store_tells_the_same() -> None:
    port = free_port()
    store = AsyncStore(Source(f"redis://127.0.0.1:{port}/0"), retry_for=0.1)
    with pytest.raises(RedisUnavailable, match=f"127.0.0.1:{port}"):
        await store.run(steps.counts(["default"]))


def test_a_full_redis_refuses_a_job_whole(store: Store, client: redis.Redis, spec: Spec) -> None:
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(QueueFull, match="is at its memory limit"):
            store.run(steps.enqueue([spec("a")]))
    finally:
        client.config_set("maxmemory", 0)
    assert client.keys("*") == []


def test_a_read_only_redis_is_away(client: redis.Redis, source: Source, spec: Spec) -> None:
    client.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(RedisUnavailable, match="read only replica"):
            Store(source, retry_for=0.05).run(steps.enqueue([spec("a")]))
    finally:
        client.replicaof("NO", "ONE")


@pytest.fixture(params=["a replica", "a primary without replicas"])
def takes_no_writes(
    request: pytest.FixtureRequest, client: redis.Redis
) -> Iterator[Callable[[], None]]:
    """What the call makes of Redis, which keeps all that it has."""

    def change() -> None:
        if request.param == "a replica":
            client.replicaof("127.0.0.1", "1")
        else:
            client.config_set("min-replicas-to-write", 1)

    yield change
    client.replicaof("NO", "ONE")
    client.config_set("min-replicas-to-write", 0)


Again = Callable[[Child, JobSpec], Step[Any]]


def again_enqueued(child: Child, spec: JobSpec) -> Step[Any]:
    return steps.enqueue([spec])


def again_unique(child: Child, spec: JobSpec) -> Step[Any]:
    return steps.enqueue([spec._replace(unique=True, created_at=datetime.now(UTC))])


def again_retried(child: Child, spec: JobSpec) -> Step[Any]:
    child.work(ok(child.claim()[0]))
    step = steps.requeue(spec.id, now_text())
    child.store.run(step)
    return step


def again_deleted(child: Child, spec: JobSpec) -> Step[Any]:
    step = steps.delete(spec.id, now_text())
    child.store.run(step)
    return step


def again_cancelled(child: Child, spec: JobSpec) -> Step[Any]:
    step = steps.cancel(spec.id, now_text())
    child.store.run(step)
    return step


@pytest.mark.parametrize(
    "call", [again_enqueued, again_unique, again_retried, again_deleted, again_cancelled]
)
def test_promise_1_a_call_that_changes_nothing_more_is_acknowledged_by_who_takes_writes_alone(
    takes_no_writes: Callable[[], None], source: Source, child: Child, spec: Spec, call: Again
) -> None:
    """A primary that was replaced still has what the new one may never have had."""
    job = spec("a")
    child.store.run(steps.enqueue([job]))
    step = call(child, job)
    child.store.run(step)
    takes_no_writes()
    with pytest.raises(RedisUnavailable):
        Store(source, retry_for=0.05).run(step)


def test_a_wrong_password_is_refused_at_once(client: redis.Redis, source: Source) -> None:
    client.execute_command("ACL", "SETUSER", "someone", "on", ">right")
    try:
        path = urlsplit(source.url).path
        with pytest.raises(RedisRefused):
            Store(Source(f"unix://someone:wrong@{path}")).run(steps.counts(["default"]))
    finally:
        client.execute_command("ACL", "DELUSER", "someone")


@pytest.fixture
def narrow(client: redis.Redis) -> Iterator[None]:
    """Redis takes no value of more than a megabyte."""
    usual = int(client.config_get("proto-max-bulk-len")["proto-max-bulk-len"] or 0)
    client.config_set("proto-max-bulk-len", 1 << 20)
    yield
    client.config_set("proto-max-bulk-len", usual)


def test_a_value_that_is_too_large_is_refused_at_once(narrow: None, source: Source) -> None:
    with pytest.raises(ValueTooLarge, match="5,000,000 bytes") as refused:
        Store(source, retry_for=60).run(steps.save_meta("a", bytes(5_000_000)))
    assert refused.value.size == 5_000_000


@pytest.mark.anyio
async def test_the_async_store_refuses_it_as_well(narrow: None, source: Source) -> None:
    with pytest.raises(ValueTooLarge, match="5,000,000 bytes"):
        await AsyncStore(source, retry_for=60).run(steps.save_meta("a", bytes(5_000_000)))


@pytest.mark.parametrize("word", ["NOREPLICAS Not enough good replicas", "MISCONF no disk"])
def test_a_word_for_away_is_found_in_a_plain_error(word: str) -> None:
    assert isinstance(failure(redis.ResponseError(word), "here"), RedisUnavailable)


def test_a_connection_that_died_while_idle_is_replaced(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.client_kill_filter(_type="normal", skipme=True)
    store.run(steps.enqueue([spec("b")]))
    assert client.lrange("rq:queue:default", 0, -1) == [b"a", b"b"]


class Proxy(threading.Thread):
    """Passes calls on to a unix socket, and drops the answers of the first connection."""

    def __init__(self, path: str, target: str) -> None:
        super().__init__(daemon=True)
        self.target = target
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()

    def run(self) -> None:
        with self.listener:
            self.serve()

    def serve(self) -> None:
        first, _ = self.listener.accept()
        with first, self.connect() as upstream:
            upstream.sendall(first.recv(1 << 20))
            upstream.recv(1 << 20)  # it was done; the caller never hears of it
        second, _ = self.listener.accept()
        with second, self.connect() as upstream:
            while request := second.recv(1 << 20):
                upstream.sendall(request)
                second.sendall(upstream.recv(1 << 20))

    def connect(self) -> socket.socket:
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(self.target)
        return upstream


def test_a_reply_that_was_lost_enqueues_nothing_twice(
    store: Store, client: redis.Redis, source: Source, spec: Spec, short_path: Path
) -> None:
    store.run(steps.enqueue([spec("before")]))  # the server knows the script
    proxy = Proxy(str(short_path / "proxy"), urlsplit(source.url).path)
    proxy.start()
    through = Store(Source(f"unix://{short_path / 'proxy'}"))
    assert through.run(steps.enqueue([spec("a")]))[0].created
    through.close()
    proxy.join(5)
    assert client.lrange("rq:queue:default", 0, -1) == [b"before", b"a"]


def test_a_link_does_not_call_twice_by_itself(source: Source, client: redis.Redis) -> None:
    link = Link(source)
    link.call(steps.counts(["default"]))
    client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(RedisUnavailable):
        link.call(steps.counts(["default"]))
    assert link.call(steps.waiting(["default"])) == {"default": 0}
    link.close()


def test_a_script_that_the_server_forgot_is_sent_again(store: Store, client: redis.Redis) -> None:
    store.run(steps.counts(["default"]))
    client.script_flush()
    assert store.run(steps.waiting(["default"])) == {"default": 0}


def test_threads_share_a_store(store: Store, client: redis.Redis, spec: Spec) -> None:
    def enqueue() -> None:
        for _ in range(50):
            store.run(steps.enqueue([spec()]))

    threads = [threading.Thread(target=enqueue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.llen("rq:queue:default") == 200


@pytest.mark.anyio
async def test_the_async_store_drives_the_same_operations(source: Source, spec: Spec) -> None:
    store = AsyncStore(source)
    await store.run(steps.enqueue([spec("a"), spec("b")]))
    page = await store.drive(listing.jobs(["default"], JobStatus.QUEUED, 5))
    assert [job.id for job in page.items] == ["b", "a"]
    counted = await asyncio.gather(*(store.run(steps.waiting(["default"])) for _ in range(20)))
    assert counted == [{"default": 2}] * 20
    await source.aclose()


def test_a_store_outlives_a_restart_of_redis(
    server_at: Callable[..., EmbeddedServer], short_path: Path, spec: Spec
) -> None:
    server = server_at(short_path / "home")
    store = Store(Source(server.url))
    store.run(steps.enqueue([spec("a")]))
    server.stop()
    restarted = threading.Timer(0.3, server_at, (short_path / "home",))
    restarted.start()
    assert store.run(steps.enqueue([spec("b")]))[0].created
    restarted.join()
    assert store.run(steps.waiting(["default"])) == {"default": 2}
    store.close()
