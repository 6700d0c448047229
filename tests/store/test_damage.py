"""What cannot be read is set aside, shown as it is, and put back or deleted on request."""

import time
from collections.abc import Callable

import pytest
import redis
from tests.store.conftest import Child, Spec, entry, now_text, ok, places

from msgqueue.errors import RedisRefused
from msgqueue.store import steps
from msgqueue.store.messages import Entry
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

    found = store.run(steps.damaged(10))

    assert found.total == 2
    reasons = {one.id: one.reason for one in found.newest}
    assert reasons["a"] == "the timeout is no number"
    assert "WRONGTYPE" in reasons["b"]
    assert all(abs(one.at.timestamp() - time.time()) < 10 for one in found.newest)
    assert len(store.run(steps.damaged(1)).newest) == 1


def test_its_raw_bytes_are_shown(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)

    a, b = store.run(steps.remains("a")), store.run(steps.remains("b"))

    assert a is not None
    assert b is not None
    assert (a.type, dict(zip(a.raw[::2], a.raw[1::2], strict=True))[b"timeout"]) == (
        "hash",
        b"soon",
    )
    assert (b.type, b.raw) == ("string", (b"\xffno hash",))
    assert store.run(steps.remains("c")) is None


def test_one_that_was_mended_runs(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    client.hset("msgqueue:damaged:a", "timeout", 30)

    assert store.run(steps.restore("a", now_text())) == "queued"

    assert places(client, "a") == ["queue"]
    assert client.ttl("rq:job:a") == -1
    assert [job.id for job in child.claim()] == ["a"]
    assert store.run(steps.restore("a", now_text())) == "missing"
    assert store.run(steps.damaged(10)).total == 1
    assert not client.exists("msgqueue:damaged:a:reason")


def test_one_that_was_not_mended_is_set_aside_again(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    store.run(steps.restore("a", now_text()))

    assert child.claim() == ()
    assert store.run(steps.remains("a")) is not None


def test_what_is_no_job_is_not_put_back(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    client.hdel("msgqueue:damaged:a", "origin")

    assert store.run(steps.restore("a", now_text())) == "unfit"
    assert store.run(steps.restore("b", now_text())) == "unfit"
    assert store.run(steps.damaged(10)).total == 2


def test_a_job_that_has_taken_its_id_is_left_alone(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)
    store.run(steps.enqueue([spec("a")]))

    assert store.run(steps.restore("a", now_text())) == "replaced"
    assert places(client, "a") == ["queue"]


def test_one_is_deleted_for_good(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    set_aside(store, client, spec, child)

    assert store.run(steps.discard("a"))
    assert not store.run(steps.discard("a"))

    assert not client.keys("msgqueue:damaged:a*")
    assert store.run(steps.damaged(10)).total == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [(b"\xff\xfe", "\\xff\\xfe"), (b"a\nb", "a\\x0ab"), (b"\xed\xa0\x80", "\\xed\\xa0\\x80")],
)
def test_an_id_that_is_no_text_is_set_aside_under_a_name_that_is(
    store: Store, client: redis.Redis, spec: Spec, child: Child, name: bytes, told: str
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    client.rename("rq:job:a", b"rq:job:" + name)
    client.lset("rq:queue:default", 0, name)  # type: ignore[arg-type] # bytes are fine

    assert [job.id for job in child.claim(2)] == ["b"]

    found = store.run(steps.damaged(1)).newest[0]
    assert (found.id, "its id is no text" in found.reason) == (told, True)
    assert store.run(steps.restore(told, now_text())) == "queued"
    assert [job.id for job in child.claim(2)] == [told]


@pytest.mark.parametrize("name", ["ä", "日本", "😀", "a:b", "a b"])
def test_an_id_in_any_script_is_fine(store: Store, spec: Spec, child: Child, name: str) -> None:
    store.run(steps.enqueue([spec(name)]))

    assert [job.id for job in child.claim()] == [name]


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [("7", 7), ("0.5", 1), ("1e3", 1000), ("0x10", 16), ("-1", -1), ("-9", -1), ("", 180)],
)
def test_a_time_limit_is_read_as_redis_reads_numbers(
    store: Store, client: redis.Redis, spec: Spec, child: Child, limit: str, seconds: int
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset("rq:job:a", "timeout", limit)

    assert [job.timeout for job in child.claim()] == [seconds]


@pytest.mark.parametrize("limit", ["1e400", "inf"])
def test_a_time_limit_without_end_is_a_long_one(
    store: Store, client: redis.Redis, spec: Spec, child: Child, limit: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset("rq:job:a", "timeout", limit)

    assert child.claim()[0].timeout > 10**9


@pytest.mark.parametrize("ttl", ["nan", "inf", "1e16", "500.5", "soon"])
def test_a_time_to_live_that_redis_takes_not_costs_no_result(
    store: Store, client: redis.Redis, spec: Spec, child: Child, ttl: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset("rq:job:a", "result_ttl", ttl)

    child.work(ok(child.claim()[0]), claim=0)

    assert places(client, "a") == ["finished"]
    assert client.ttl("rq:job:a") > 400
    assert client.ttl("rq:results:a") > 400


def test_executions_of_another_type_keep_no_other_from_being_swept(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    for job in child.claim(2):
        client.zadd("rq:wip:default", {entry(job).member: time.time() + 800})
    client.set("rq:executions:a", "no zset")
    store.run(steps.lead("me"))
    client.hset("msgqueue:upkeep", "since", time.time() - 5)

    store.run(steps.sweep("me", now_text()))

    assert (places(client, "a"), places(client, "b")) == (["queue"], ["queue"])


@pytest.mark.parametrize("retries", ["", "soon", "1e400", "9" * 40])
def test_a_count_that_is_none_keeps_no_job_from_its_retry(
    store: Store, client: redis.Redis, spec: Spec, child: Child, retries: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(ok(child.claim()[0]), claim=0)
    client.hset("rq:job:a", "mq_retries", retries)

    assert store.run(steps.requeue("a", now_text())).done

    assert places(client, "a") == ["queue"]


def test_a_retry_into_a_queue_that_is_no_list_leaves_the_job_where_it_is(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(ok(child.claim()[0]), claim=0)
    client.set("rq:queue:default", "no list")

    with pytest.raises(RedisRefused, match="WRONGTYPE"):
        store.run(steps.requeue("a", now_text()))

    assert client.zscore("rq:finished:default", "a") is not None
    assert client.hget("rq:job:a", "status") == b"finished"


def test_a_call_that_is_made_again_passes_over_what_was_damaged_meanwhile(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    child.claim(3)
    client.hset("rq:job:a", "timeout", "soon")
    client.delete("rq:job:b")
    client.set("rq:job:b", "no hash")

    assert [job.id for job in child.work(claim=3, again=True).claimed] == ["c"]


@pytest.mark.parametrize("key", ["rq:job:a:dependents", "rq:group:g", "rq:executions:a"])
def test_what_lies_beside_a_job_in_another_type_keeps_it_not_from_being_deleted(
    store: Store, client: redis.Redis, spec: Spec, key: str
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset("rq:job:a", "group_id", "g")
    client.set(key, "no set")

    assert store.run(steps.delete("a", now_text())) == "deleted"

    assert places(client, "a") == []


@pytest.mark.parametrize("place", ["queue", "wip", "scheduled", "workers", "queue:{}:intermediate"])
def test_a_place_of_another_type_keeps_no_other_queue_from_its_workers(
    store: Store, client: redis.Redis, spec: Spec, new_child: Callable[..., Child], place: str
) -> None:
    broken = place.format("broken") if "{}" in place else f"{place}:broken"
    client.set(f"rq:{broken}", "of another type")
    client.sadd("rq:queues", "rq:queue:broken")
    store.run(steps.enqueue([spec("a"), spec("b", due=time.time() - 1)]))
    child = new_child("broken", "default")
    [job] = child.claim()
    client.zadd("rq:wip:default", {entry(job).member: time.time() + 800})
    store.run(steps.lead("me"))
    client.hset("msgqueue:upkeep", "since", time.time() - 5)

    assert store.run(steps.waiting(("broken", "default"))) == {"broken": 0, "default": 0}
    assert store.run(steps.sweep("me", now_text())).requeued == 1
    store.run(steps.leftovers("me", now_text()))
    assert store.run(steps.promote(("broken", "default"), "me", now_text()))["default"].moved == 1
    again = new_child("broken", "default")
    assert [one.id for one in (*again.claim(2), *again.claim(2))] == ["a", "b"]
    assert again.settle(held=(Entry("default", "b", "x"),)).requeued == 1
