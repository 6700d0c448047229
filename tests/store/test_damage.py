"""What cannot be read is set aside, shown as it is, and put back or deleted on request."""

import time

import redis
from tests.store.conftest import Child, Spec, now_text, places

from msgqueue.store import damage, steps
from msgqueue.store.run import Store


def set_aside(store: Store, client: redis.Redis, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    client.hset("rq:job:a", "timeout", "soon")
    client.delete("rq:job:b")
    client.set("rq:job:b", b"\xffno hash")
    assert [job.id for job in child.claim(3)] == ["c"]


def test_it_is_listed_with_its_reason_and_its_time(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)

    found = store.run(damage.damaged(10))

    assert found.total == 2
    reasons = {one.id: one.reason for one in found.newest}
    assert "the timeout is no number" in reasons["a"]
    assert "WRONGTYPE" in reasons["b"]
    assert all(abs(one.at.timestamp() - time.time()) < 10 for one in found.newest)
    assert len(store.run(damage.damaged(1)).newest) == 1


def test_its_raw_bytes_are_shown(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)

    a, b = store.run(damage.remains("a")), store.run(damage.remains("b"))

    assert a is not None
    assert b is not None
    assert (a.type, dict(zip(a.raw[::2], a.raw[1::2], strict=True))[b"timeout"]) == (
        "hash",
        b"soon",
    )
    assert (b.type, b.raw) == ("string", (b"\xffno hash",))
    assert store.run(damage.remains("c")) is None


def test_one_that_was_mended_runs(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    client.hset("msgqueue:damaged:a", "timeout", 30)

    assert store.run(damage.restore("a", now_text())) == "queued"

    assert places(client, "a") == ["queue"]
    assert client.ttl("rq:job:a") == -1
    assert [job.id for job in child.claim()] == ["a"]
    assert store.run(damage.restore("a", now_text())) == "missing"
    assert store.run(damage.damaged(10)).total == 1
    assert not client.exists("msgqueue:damaged:a:reason")


def test_one_that_was_not_mended_is_set_aside_again(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    store.run(damage.restore("a", now_text()))

    assert child.claim() == ()
    assert store.run(damage.remains("a")) is not None


def test_what_is_no_job_is_not_put_back(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    client.hdel("msgqueue:damaged:a", "origin")

    assert store.run(damage.restore("a", now_text())) == "unfit"
    assert store.run(damage.restore("b", now_text())) == "unfit"
    assert store.run(damage.damaged(10)).total == 2


def test_a_job_that_has_taken_its_id_is_left_alone(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    store.run(steps.enqueue([spec("a")]))

    assert store.run(damage.restore("a", now_text())) == "replaced"
    assert places(client, "a") == ["queue"]


def test_one_is_deleted_for_good(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)

    assert store.run(damage.discard("a"))
    assert not store.run(damage.discard("a"))

    assert not client.keys("msgqueue:damaged:a*")
    assert store.run(damage.damaged(10)).total == 1
