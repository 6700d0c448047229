"""Leases, beats, the sweep, due jobs, dependents and trimming."""

import time
from collections.abc import Callable

import redis
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from tests.store.conftest import Child, Spec, entry, now_text, ok, places, status

from msgqueue.jobs import Claimed
from msgqueue.store import steps
from msgqueue.store.messages import Beaten, Swept
from msgqueue.store.run import Store

NewChild = Callable[..., Child]


def lead_for(client: redis.Redis, store: Store, seconds: float, token: str = "me") -> None:
    assert store.run(steps.lead(token))
    client.hset("msgqueue:upkeep", "since", time.time() - seconds)


def grow_old(client: redis.Redis, job: Claimed, seconds: float) -> None:
    """As if nobody had refreshed the lease for so long."""
    member = f"{job.id}:{job.execution}"
    client.zadd(f"rq:wip:{job.queue}", {member: time.time() + 900 - seconds})


def sweep(store: Store, token: str = "me") -> Swept:
    return store.run(steps.sweep(token, now_text()))


def test_an_execution_that_nobody_refreshed_runs_again(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    lead_for(client, store, 5)
    grow_old(client, job, 9)
    assert sweep(store) == Swept("", requeued=1, failed=0, gone=0, rest=8.0)
    assert places(client, "a") == ["queue"]
    assert child.work(ok(job), claim=0).refused == (f"a:{job.execution}",)


def test_a_fresh_execution_is_left_alone(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    lead_for(client, store, 5)
    grow_old(client, job, 7)
    swept = sweep(store)
    assert swept.requeued == 0
    assert 0 < swept.rest <= 1  # then it may be old
    assert places(client, "a") == ["wip"]


def test_a_new_leader_waits_for_the_beats_of_the_living(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    grow_old(client, child.claim()[0], 60)
    lead_for(client, store, 3)
    assert sweep(store).state == "waiting"
    assert places(client, "a") == ["wip"]


def test_only_one_leads(store: Store) -> None:
    assert store.run(steps.lead("me"))
    assert not store.run(steps.lead("you"))
    assert sweep(store, "you").state == "not leader"


def test_a_lease_from_the_future_is_swept(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    grow_old(client, child.claim()[0], -3600)
    lead_for(client, store, 5)
    assert sweep(store).requeued == 1


def test_an_execution_of_plain_rq_is_not_swept(store: Store, client: redis.Redis) -> None:
    client.sadd("rq:queues", "rq:queue:default")
    client.zadd("rq:wip:default", {"x:0123456789abcdef0123456789abcdef": 1.0})
    lead_for(client, store, 5)
    assert sweep(store) == Swept("", 0, 0, 0, rest=8.0)
    assert client.zcard("rq:wip:default") == 1


def test_a_sweep_finds_its_way_past_damage(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    one, two = child.claim(2)
    lead_for(client, store, 5)
    grow_old(client, one, 9)
    grow_old(client, two, 9)
    client.delete("rq:job:a")
    client.set("rq:job:a", "no hash")
    assert sweep(store).requeued == 1
    assert places(client, "b") == ["queue"]
    assert client.zcard("rq:wip:default") == 0


def test_a_beat_renews_the_lease_and_the_worker(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    grow_old(client, job, 9)
    assert child.beat(entry(job), current="a") == Beaten(False, frozenset(), frozenset())
    score = client.zscore("rq:wip:default", f"a:{job.execution}")
    assert score is not None
    assert score > time.time() + 890
    assert client.hget(f"rq:worker:{child.lane.worker}", "state") == b"busy"


def test_a_beat_tells_what_was_lost_and_what_shall_stop(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    lost, stop, gone = child.claim(3)
    store.run(steps.release([entry(lost)], now_text()))
    store.run(steps.cancel("b", now_text()))
    Job.fetch("c", connection=client, serializer=JSONSerializer).cancel()
    said = child.beat(*map(entry, (lost, stop, gone)))
    assert said.lost == {f"a:{lost.execution}", f"c:{gone.execution}"}
    assert said.stop == {f"b:{stop.execution}"}


def test_a_beat_tells_what_was_lost_also_where_the_job_was_damaged_since(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    lost, held = child.claim(2)
    store.run(steps.release([entry(lost)], now_text()))
    for job in (lost, held):
        client.delete(f"rq:job:{job.id}")
        client.set(f"rq:job:{job.id}", "no hash")
    assert child.beat(entry(lost), entry(held)).lost == {f"a:{lost.execution}"}


def test_a_beat_registers_a_worker_whose_key_expired(client: redis.Redis, child: Child) -> None:
    client.delete(f"rq:worker:{child.lane.worker}", "rq:workers")
    child.beat()
    assert [worker.name for worker in Worker.all(connection=client)] == [child.lane.worker]
    assert child.work().state == ""


def test_a_beat_replaces_a_worker_key_of_another_type_and_tells_of_it_once(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    [job] = child.claim()
    key = f"rq:worker:{child.lane.worker}"
    client.set(key, "no hash", px=60_000)
    client.delete("rq:workers")
    client.set("rq:workers", "no set")
    client.set(f"{key}:executions", "no set")
    assert child.work(ok(job)).state == "missing"
    child.seq -= 1  # so that call was not answered

    long = frozenset({entry(job).member})
    assert child.beat(entry(job), running=long).replaced
    assert not child.beat(entry(job), running=long).replaced

    assert child.work(ok(job)).claimed[0].id == "b"
    assert places(client, "a") == ["finished"]


def test_a_key_of_another_type_under_a_worker_keeps_no_step_from_its_work(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    one, two, three = child.claim(3)
    key = f"rq:worker:{child.lane.worker}"
    client.delete(key)
    client.set(key, "no hash")

    assert store.run(steps.release([entry(two)], now_text(), [ok(one)], child.lane.worker)) == 1
    assert store.run(steps.note_shutdown([child.lane.worker], now_text())) == 0
    assert child.settle(held=(entry(three),)).requeued == 1
    client.set(key, "no hash")
    assert store.run(steps.register(child.lane, child.worker, now_text()))

    assert places(client, "a") == ["finished"]
    assert places(client, "b") == places(client, "c") == ["queue"]
    assert client.type(key) == b"hash"


def test_a_beat_leaves_a_worker_alone_that_was_declared_dead(child: Child) -> None:
    child.settle()
    assert child.beat().closed


def test_rq_can_cancel_what_runs_for_long(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    [job] = child.claim()
    child.beat(entry(job), running=frozenset({f"a:{job.execution}"}), current="a")
    running = Job.fetch("a", connection=client, serializer=JSONSerializer)
    assert [execution.id for execution in running.get_executions()] == [job.execution]
    running.cancel()
    child.work(ok(job)._replace(started=time.time() - 2), claim=0)
    assert places(client, "a") == ["canceled"]
    assert not client.keys("rq:execution*")


def test_a_worker_that_ended_in_order_is_listed_no_more(client: redis.Redis, child: Child) -> None:
    child.settle()
    assert Worker.all(connection=client) == []
    assert 0 < client.ttl(f"rq:worker:{child.lane.worker}") <= 60


def test_due_jobs_are_queued_in_the_order_of_their_time(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    now = time.time()
    due = {"late": now - 1, "early": now - 2, "later": now + 60}
    store.run(steps.enqueue([spec(name, due=at) for name, at in due.items()]))
    promoted = store.run(steps.promote(["other", "default"], "me", now_text()))["default"]
    assert (promoted.busy, promoted.moved) == (False, 2)
    assert promoted.rest is not None
    assert 59 < promoted.rest <= 60
    assert client.lrange("rq:queue:default", 0, -1) == [b"early", b"late"]
    assert status(client, "early") == b"queued"


def test_a_queue_that_a_plain_scheduler_minds_is_left_to_it(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a", due=time.time() - 1)]))
    client.set("rq:scheduler-lock:default", "a plain scheduler")
    assert store.run(steps.promote(["default"], "me", now_text()))["default"].busy
    assert places(client, "a") == ["scheduled"]


def test_a_promoter_that_died_keeps_others_away_for_seconds(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a", due=time.time() + 60)]))
    store.run(steps.promote(["default"], "me", now_text()))
    assert 0 < client.ttl("rq:scheduler-lock:default") <= 5


def test_a_due_id_is_left_for_a_while_if_its_hash_is_not_there_yet(
    store: Store, client: redis.Redis
) -> None:
    client.zadd("rq:scheduled:default", {"soon": time.time() - 5, "never": time.time() - 100})
    store.run(steps.promote(["default"], "me", now_text()))
    assert client.zrange("rq:scheduled:default", 0, -1) == [b"soon"]


def test_registries_are_trimmed_of_what_has_expired(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.work(ok(child.claim()[0]))
    client.zadd("rq:finished:default", {"old": 1.0, "kept": float("inf")})
    client.zadd("rq:canceled:default", {"gone": 1.0})
    assert store.run(steps.trim("default")) == 2
    assert set(client.zrange("rq:finished:default", 0, -1)) == {b"a", b"kept"}


def test_workers_and_damage_that_are_long_gone_are_trimmed(
    store: Store, client: redis.Redis, child: Child
) -> None:
    client.sadd("rq:workers", "rq:worker:dead")
    client.sadd("rq:workers:default", "rq:worker:dead")
    client.zadd("msgqueue:damaged", {"long ago": 1.0, "now": time.time()})
    assert store.run(steps.trim("default")) == 3
    alive = f"rq:worker:{child.lane.worker}".encode()
    assert client.smembers("rq:workers") == client.smembers("rq:workers:default") == {alive}
    assert client.zrange("msgqueue:damaged", 0, -1) == [b"now"]


def test_a_cancelled_job_that_expired_is_trimmed_behind_many_that_did_not(
    store: Store, client: redis.Redis
) -> None:
    for number in range(150):
        client.hset(f"rq:job:{number}", "status", "canceled")
    client.zadd("rq:canceled:default", {**{str(n): n for n in range(150)}, "gone": 151.0})
    for _ in range(200):
        if store.run(steps.trim("default")):
            break
    assert client.zcard("rq:canceled:default") == 150


def test_an_id_that_was_cancelled_once_and_lives_again_is_no_longer_among_the_cancelled(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a")]))
    store.run(steps.cancel("a", now_text()))
    client.delete("rq:job:a")  # it expires
    store.run(steps.enqueue([spec("a")]))
    client.set("rq:job:no hash", "")
    client.hset("rq:job:no status", "origin", "default")
    client.zadd("rq:canceled:default", {"no hash": 1.0, "no status": 2.0})
    store.run(steps.trim("default"))
    assert client.zrange("rq:canceled:default", 0, -1) == [b"no hash", b"no status"]


def test_an_id_that_was_cancelled_once_and_is_again_in_another_queue_is_among_the_cancelled_there(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    for queue in ("default", "other"):
        client.delete("rq:job:a")  # it expires
        store.run(steps.enqueue([spec("a", queue=queue)]))
        store.run(steps.cancel("a", now_text()))
    client.hset("rq:job:no origin", "status", "canceled")
    client.zadd("rq:canceled:default", {"no origin": 1.0})
    assert store.run(steps.trim("default")) == 1
    assert store.run(steps.trim("other")) == 0
    assert client.zrange("rq:canceled:default", 0, -1) == [b"no origin"]
    assert client.zrange("rq:canceled:other", 0, -1) == [b"a"]
