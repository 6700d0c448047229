"""Ways to drive the steps by hand, as a child and its supervisor would."""

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from msgqueue.connection import Source
from msgqueue.jobs import Claimed, JobSpec, Outcome
from msgqueue.store import steps
from msgqueue.store.codec import time_text
from msgqueue.store.messages import Beat, Beaten, Ended, Entry, Lane, Settled, Worked, Worker
from msgqueue.store.run import Store

Spec = Callable[..., JobSpec]


def now_text() -> str:
    return time_text(datetime.now(UTC))


@pytest.fixture
def store(source: Source) -> Iterator[Store]:
    store = Store(source)
    yield store
    store.close()


@pytest.fixture
def spec() -> Spec:
    """Makes a spec of a function that rq, too, can import and run: `operator.add(1, 2)`."""
    number = count()

    def make(job_id: str | None = None, **changes: Any) -> JobSpec:
        base = JobSpec(
            id=job_id or f"job-{next(number)}",
            task="add",
            queue="default",
            data=b'["operator.add", null, [1, 2], {}]',
            description="operator.add(1, 2)",
            timeout=30,
            created_at=datetime.now(UTC),
        )
        return base._replace(**changes)

    return make


class Child:
    """One registered lane."""

    def __init__(self, store: Store, queues: tuple[str, ...] = ("default",)) -> None:
        self.store, self.queues, self.seq = store, queues, 0
        name = secrets.token_hex(6)
        self.lane = Lane(name, f"test.{name}")
        self.worker = Worker(queues, 4242, "here", "127.0.0.1", "0", "3", now_text())
        store.run(steps.register(self.lane, self.worker, now_text()))

    def work(self, *outcomes: Outcome, claim: int = 1, again: bool = False) -> Worked:
        self.seq += not again
        return self.store.run(
            steps.work(self.lane, self.seq, outcomes, self.queues, claim, now_text())
        )

    def claim(self, count: int = 1) -> tuple[Claimed, ...]:
        return self.work(claim=count).claimed

    def beat(self, *entries: Entry, **more: Any) -> Beaten:
        beat = Beat(self.lane, self.worker, self.seq, entries, **more)
        return self.store.run(steps.beat([beat], now_text()))[0]

    def settle(
        self,
        *,
        outcomes: tuple[Outcome, ...] = (),
        ended: tuple[Ended, ...] = (),
        held: tuple[Entry, ...] = (),
    ) -> Settled:
        return self.store.run(steps.settle(self.lane, outcomes, ended, held, now_text()))


@pytest.fixture
def child(store: Store) -> Child:
    return Child(store)


@pytest.fixture
def new_child(store: Store) -> Callable[..., Child]:
    return lambda *queues: Child(store, queues or ("default",))


def ok(job: Claimed, value: bytes = b"3") -> Outcome:
    return Outcome(job.queue, job.id, job.execution, "ok", value, time.time(), time.time())


def error(job: Claimed, text: str = "ValueError: no") -> Outcome:
    now = time.time()
    return Outcome(job.queue, job.id, job.execution, "error", text.encode(), now, now)


def died(job: Claimed, cause: Any = "death") -> Ended:
    now = time.time()
    return Ended(job.queue, job.id, job.execution, cause, "WorkerDied: signal 9", now, now)


def entry(job: Claimed) -> Entry:
    return Entry(job.queue, job.id, job.execution)


def status(client: Any, job_id: str) -> bytes | None:
    word: bytes | None = client.hget(f"rq:job:{job_id}", "status")
    return word


def waiting(client: Any, queue: str = "default") -> list[str]:
    """The ids in a queue, from its head."""
    return [name.decode() for name in client.lrange(f"rq:queue:{queue}", 0, -1)]


def places(client: Any, job_id: str, queue: str = "default") -> list[str]:
    """Every place in which a job is."""
    wip = [m.rsplit(b":", 1)[0].decode() for m in client.zrange(f"rq:wip:{queue}", 0, -1)]
    found = ["queue"] * waiting(client, queue).count(job_id)
    found += ["wip"] * wip.count(job_id)
    for name in ("finished", "failed", "scheduled", "deferred", "canceled"):
        found += [name] * (client.zscore(f"rq:{name}:{queue}", job_id) is not None)
    return found
