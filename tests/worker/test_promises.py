"""Promises 9, 11 and 12 with real workers: damage, what must not run, and what must not stay."""

import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.faults import soundness
from tests.worker.crew import Crew

from msgqueue import JobFailed, JobStatus
from msgqueue.store import steps

Damage = Callable[[redis.Redis, str], object]
DAMAGES: dict[str, Damage] = {
    "a time limit that is no number": lambda client, key: client.hset(key, "timeout", "soon"),
    "no call": lambda client, key: client.hdel(key, "data"),
    "a key of another type": lambda client, key: (client.delete(key), client.set(key, b"\xff")),
    "times that are none": lambda client, key: client.hset(key, "created_at", b"\xff"),
    "a call that is no text": lambda client, key: client.hset(key, "data", b"\xff\xfe"),
    "a call nested without end": lambda client, key: client.hset(key, "data", b"[" * 100_000),
    "a call that is torn": lambda client, key: client.hset(key, "data", b"x\x9c\x03\x00"),
    "counts that are none": lambda client, key: client.hset(key, "mq_retries", b"nan"),
    "times to live that are none": lambda client, key: client.hset(key, "result_ttl", b"inf"),
    "an unknown status": lambda client, key: client.hset(key, "status", "odd"),
    "nothing left": lambda client, key: client.delete(key),
}
WAITING = JobStatus.QUEUED, JobStatus.STARTED, JobStatus.SCHEDULED
SET_ASIDE = {"a time limit that is no number", "no call", "a key of another type"}


def test_promise_9_damaged_jobs_are_set_aside_and_all_others_run(crew: Crew) -> None:
    client, good = crew.redis, [crew.enqueue("add", 1, 1)]
    before: dict[str, bytes | None] = {}
    for what, do in DAMAGES.items():
        job = crew.enqueue("add", 2, 2, job_id=what.replace(" ", "-"))
        good.append(crew.enqueue("add", 3, 3))
        do(client, f"rq:job:{job.id}")
        before[job.id] = client.dump(f"rq:job:{job.id}")

    assert crew.start(processes=2, burst=True).wait(30) == 0

    assert {job.refresh().status for job in good} == {JobStatus.FINISHED}
    found = {one.id for one in crew.queue.store.run(steps.damaged(20)).newest}
    assert found == {what.replace(" ", "-") for what in SET_ASIDE}
    for name in found:
        client.copy(f"msgqueue:damaged:{name}", "test:copy", replace=True)
        assert client.dump("test:copy") == before[name]


class Bomb:
    """What pickle would run."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self._mark),)


def test_promise_11_no_text_of_redis_names_code_and_nothing_is_unpickled(
    crew: Crew, tmp_path: Path
) -> None:
    mark = tmp_path / "it-ran"
    named = crew.enqueue_path("os.mkdir", str(mark))
    crew.offer_last(named)
    bomb = pickle.dumps(Bomb(mark))
    jobs = [named, *(crew.enqueue("add", 1, 1) for _ in range(2))]
    crew.redis.hset(f"rq:job:{jobs[1].id}", "data", bomb)
    crew.redis.hset(f"rq:job:{jobs[2].id}", "meta", bomb)

    assert crew.start(processes=1, burst=True).wait(30) == 0

    for job, told in ((jobs[0], "UnknownTask"), (jobs[1], "UnicodeDecodeError")):
        with pytest.raises(JobFailed, match=told):
            job.result(timeout=0)
    assert jobs[2].result(timeout=0) == 2
    assert not mark.exists()


def test_promise_12_no_key_stays_for_ever_that_nobody_asked_for(
    crew: Crew, eventually: Callable[..., None]
) -> None:
    supervisor = crew.start(processes=2)
    for task, *args in (("add", 1, 1), ("fail", "no"), ("nothing",)):
        crew.enqueue(task, *args)
    crew.enqueue("add", 1, 1, result_ttl=0)
    crew.enqueue("add", 1, 1, delay=3600).cancel()
    crew.enqueue("add", 1, 1, delay=0.1, meta={"a": 1}).result(timeout=10)
    running = crew.enqueue("sleep", 60)
    eventually(lambda: running.refresh().status is JobStatus.STARTED)
    running.cancel()
    eventually(lambda: not any(crew.queue.counts()[status] for status in WAITING))

    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0

    soundness.check(crew.redis)
