"""A database with two whole jobs and one damaged one, and every step that may meet it."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

import redis
from hypothesis import strategies as st
from tests.fuzz.canary import PICKLE
from tests.fuzz.strategies import damaged
from tests.store.conftest import Child, died, entry, error, now_text, ok

from msgqueue.errors import DamagedJob, RedisRefused
from msgqueue.jobs import Claimed, JobSpec, JobStatus, Outcome, Retry
from msgqueue.store import steps
from msgqueue.store.run import Store
from msgqueue.store.steps import Step

VICTIM = "victim"
WHOLE = ("before", "behind")
HASH, RESULTS, EXECUTIONS = f"rq:job:{VICTIM}", f"rq:results:{VICTIM}", f"rq:executions:{VICTIM}"
#: What belongs to another queue, which the same workers mind.
BESIDE = (
    *("rq:queue:other", "rq:wip:other", "rq:scheduled:other", "rq:finished:other"),
    *("rq:failed:other", "rq:canceled:other", "rq:queue:other:intermediate", "rq:workers:other"),
    *("rq:executions:x", "rq:scheduler-lock:other", "rq:clean_registries:other"),
)
DEPENDENTS, DEPENDENCIES = f"{HASH}:dependents", f"rq:job::{VICTIM}:dependencies"

Place = Literal["queue", "wip", "scheduled", "finished", "failed", "canceled"]
PLACES: tuple[Place, ...] = ("queue", "wip", "scheduled", "finished", "failed", "canceled")

CALL = b'["operator.add", null, [1, 2], {}]'
whole_numbers = st.integers(-1, 9).map(b"%d".__mod__)
times = st.just(b"2026-11-24T08:00:00.000000Z")
words = st.sampled_from((b"queued", b"started", b"finished", b"failed", b"canceled", b"scheduled"))
FIELDS: Mapping[str, st.SearchStrategy[bytes]] = {
    "status": words,
    "data": st.sampled_from((CALL, PICKLE)),
    "retry_intervals": st.sampled_from((b"[1, 2]", b"[[1]]", b'{"a": 1}', b"[null]", b"[1e400]")),
    "repeat_intervals": st.sampled_from((b"[1, 2]", b'{"a": 1}', b"[{}, null]")),
    "mq_exec": st.sampled_from((b"0123456789ab.1", b"x", b"a.b.c")),
    "mq_stop": st.sampled_from((b"0123456789ab.1", b"x")),
    "origin": st.sampled_from((b"default", b"other", b"")),
    "group_id": st.sampled_from((b"group", b"")),
    "worker_name": st.just(b"w"),
    "rate_limit_key": st.just(b"limit"),
    "meta": st.sampled_from((b'{"a": 1}', PICKLE)),
    **dict.fromkeys(("created_at", "enqueued_at", "started_at", "ended_at"), times),
    **dict.fromkeys(
        (
            *("timeout", "ttl", "result_ttl", "failure_ttl", "retries_left", "mq_retries"),
            *("mq_max", "mq_deaths", "mq_declined", "number_of_retries", "repeats_left"),
            "rate_limit_concurrency",
            *("enqueue_at_front", "allow_dependency_failures", "webhooks", "mq_task", "mq_none"),
        ),
        whole_numbers,
    ),
}
KINDS = ("string", "list", "zset", "set", "stream", "nothing")


@dataclass(frozen=True)
class Damage:
    """What is wrong with one job: fields of its hash, fields that are missing, keys of a kind."""

    fields: Mapping[str, bytes] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    name: bytes = VICTIM.encode()  # another one for jobs in a queue


some_fields = st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True)
damages = st.builds(
    Damage,
    some_fields.flatmap(
        lambda names: st.fixed_dictionaries({n: damaged(FIELDS[n]) for n in names})
    ),
    st.lists(st.sampled_from(sorted(FIELDS)), max_size=2).map(tuple),
    st.just({})
    | st.dictionaries(
        st.sampled_from((HASH, RESULTS, EXECUTIONS, DEPENDENTS, DEPENDENCIES, *BESIDE)),
        st.sampled_from(KINDS),
        max_size=2,
    ),
    st.just(VICTIM.encode()) | st.sampled_from((b"\xff\xfe", b"a\nb", b"a:b:c", b" ", b"x" * 700)),
)


class Wreck:
    """One example's database.

    Args:
        store: runs steps on it; it is emptied.
        client: the same, by hand.
        place: where the damaged job lies.
        wrong: what is wrong with it.
    """

    def __init__(self, store: Store, client: redis.Redis, place: Place, wrong: Damage) -> None:
        self.store, self.client = store, client
        client.flushdb()
        client.sadd("rq:queues", "rq:queue:other")
        self.child = Child(store, ("other", "default"))
        self.claimed: list[Claimed] = []
        victim = self._spec(VICTIM, retry=Retry(2, 1.0))
        before, behind = (  # may die with each claim of a run
            self._spec(n, retry=Retry(2, 1.0), max_deliveries=9) for n in WHOLE
        )
        if place not in ("queue", "wip"):
            self._end(victim, place)
        store.run(steps.enqueue([before, *([victim] if place in ("queue", "wip") else []), behind]))
        if place == "wip":
            self.claimed += self.child.claim(2)
        self._damage(place, wrong)

    def _spec(self, name: str, **more: Any) -> JobSpec:
        return JobSpec(name, CALL, "add()", datetime.now(UTC), "add", "default", 9, **more)

    def _end(self, victim: JobSpec, place: Place) -> None:
        due = time.time() - 5 if place == "scheduled" else None
        self.store.run(steps.enqueue([victim._replace(due=due, retry=None)]))
        if place == "canceled":
            self.store.run(steps.cancel(VICTIM, now_text()))
        elif place != "scheduled":
            [job] = self.child.claim()
            self.child.work(ok(job) if place == "finished" else error(job), claim=0)

    def _damage(self, place: Place, wrong: Damage) -> None:
        if wrong.fields:
            self.client.hset(HASH, items=[part for pair in wrong.fields.items() for part in pair])
        if wrong.missing:
            self.client.hdel(HASH, *wrong.missing)
        for key, kind in wrong.kinds.items():
            self._replace(key, kind)
        if place == "queue" and wrong.name != VICTIM.encode() and self.client.exists(HASH):
            self.client.rename(HASH, b"rq:job:" + wrong.name)
            self.client.linsert("rq:queue:default", "after", VICTIM, wrong.name)  # type: ignore[arg-type] # bytes
            self.client.lrem("rq:queue:default", 0, VICTIM)

    def _replace(self, key: str, kind: str) -> None:
        self.client.delete(key)
        make: dict[str, Callable[[], Any]] = {
            "string": lambda: self.client.set(key, b"\xffno hash"),
            "list": lambda: self.client.rpush(key, "x"),
            "zset": lambda: self.client.zadd(key, {"x": 1}),
            "set": lambda: self.client.sadd(key, "x", b"\xff"),
            "stream": lambda: self.client.xadd(key, {"type": "9", b"\xff": PICKLE}),
            "nothing": lambda: None,
        }
        make[kind]()
        self.client.expire(key, 500 if key == RESULTS else 100_000)

    # What may happen to it

    def step(self, step: Step[Any]) -> None:
        """Run a step; one that is refused as a whole must have changed nothing."""
        before = self.content()
        try:
            self.store.run(step)
        except DamagedJob:
            return
        except RedisRefused:
            assert self.content() == before, step.script.name

    def content(self) -> dict[bytes, bytes | None]:
        """Every key, as a dump."""
        return {key: self.client.dump(key) for key in self.client.scan_iter()}

    def claim(self) -> None:
        """A child takes what waits."""
        self.claimed += self.child.claim(4)

    def end(self, how: Callable[[Claimed], Outcome]) -> None:
        """All that was claimed ends so, but whole jobs end well."""
        jobs, self.claimed = self.claimed, []
        self.child.work(*(ok(job) if job.id in WHOLE else how(job) for job in jobs), claim=0)

    def lose(self) -> None:
        """The child dies, and its supervisor settles it."""
        jobs, self.claimed = self.claimed, []
        victims = tuple(died(job) for job in jobs if job.id not in WHOLE)
        self.child.settle(ended=victims, held=tuple(entry(j) for j in jobs if j.id in WHOLE))
        self.child = Child(self.store, ("other", "default"))

    def release(self) -> None:
        """The child gives back what it was handed."""
        jobs, self.claimed = self.claimed, []
        self.store.run(steps.release([entry(job) for job in jobs], now_text()))

    def beat(self) -> None:
        """The supervisor's beat."""
        named = [entry(job) for job in self.claimed]
        self.child.beat(*named, running=frozenset(one.member for one in named))

    def maintain(self) -> None:
        """All of upkeep, when what is claimed has grown old."""
        self.store.run(steps.lead("me"))
        self.client.hset("msgqueue:upkeep", "since", time.time() - 5)
        for member in cast(list[bytes], self.client.zrange("rq:wip:default", 0, -1)):
            self.client.zadd("rq:wip:default", {member: time.time() + 900 - 60})
        self.claimed = []
        self.store.run(steps.sweep("me", now_text()))
        self.store.run(steps.leftovers("me", now_text()))
        self.store.run(steps.promote(("default", "other"), "me", now_text()))
        self.store.run(steps.handover(now_text()))
        for queue in ("other", "default"):
            with suppress(RedisRefused):  # it looks at one queue at a time
                self.store.run(steps.trim(queue))
            self.store.run(steps.orphans(queue, now_text()))

    def bring_forward(self) -> None:
        """Have what died twice, and is put off by ten seconds and more, be due."""
        for whole in WHOLE:
            with suppress(redis.ResponseError):  # the registry may be of another type
                self.client.zadd("rq:scheduled:default", {whole: 0}, xx=True)

    def look(self) -> None:
        """Everything that only reads."""
        self.step(steps.read(VICTIM))
        for status in JobStatus:
            self.store.run(steps.page("default", status, 10))
        self.step(steps.standings((VICTIM,)))
        self.store.run(steps.results((VICTIM, *WHOLE)))
        self.store.run(steps.oldest(("other", "default")))
        self.store.run(steps.counts(("default",)))
        self.store.run(steps.waiting(("other", "default")))
        self.store.run(steps.workers())
        self.step(steps.meta(VICTIM))
        self.store.run(steps.damaged(10))
        self.store.run(steps.remains(VICTIM))

    def act(self, name: str) -> None:
        """One of ACTS."""
        made = now_text()
        acts: dict[str, Callable[[], object]] = {
            "claim": self.claim,
            "claim again": lambda: self.child.work(claim=4, again=True),
            "end ok": lambda: self.end(ok),
            "end none": lambda: self.end(lambda job: ok(job)._replace(kind="none", value=b"")),
            "end error": lambda: self.end(error),
            "end retry": lambda: self.end(
                lambda job: ok(job)._replace(kind="retry", value=b"2:1,5:0:")
            ),
            "end declined": lambda: self.end(lambda job: error(job)._replace(kind="declined")),
            "end repeat": lambda: self.end(lambda job: ok(job)._replace(kind="repeat")),
            "lose": self.lose,
            "release": self.release,
            "beat": self.beat,
            "maintain": self.maintain,
            "look": self.look,
            "cancel": lambda: self.step(steps.cancel(VICTIM, made)),
            "requeue": lambda: self.step(steps.requeue(VICTIM, made)),
            "delete": lambda: self.step(steps.delete(VICTIM, made)),
            "stop": lambda: self.step(steps.stop(VICTIM)),
            "save meta": lambda: self.step(steps.save_meta(VICTIM, b"{}")),
            "enqueue": lambda: self.step(steps.enqueue([self._spec(VICTIM)])),
            "restore": lambda: self.step(steps.restore(VICTIM, made)),
            "discard": lambda: self.step(steps.discard(VICTIM)),
        }
        acts[name]()

    def work_off(self) -> None:
        """Workers go on until nothing is left that they can run."""
        for _ in range(6):
            self.release()
            self.bring_forward()
            self.maintain()
            self.claim()
            self.end(ok)


ACTS = (
    *("claim", "end ok", "end none", "end error", "end retry", "end repeat", "end declined"),
    *("lose", "release", "beat", "maintain", "look", "cancel", "requeue", "delete", "stop"),
    *("save meta", "enqueue", "restore", "discard", "claim again"),
)
