"""Jobs of plain rq, damaged: whatever rq's own methods raise on them ends that job alone."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import canary
from tests.fuzz.effort import fuzzed
from tests.fuzz.strategies import damaged
from tests.server import tasks
from tests.store.conftest import Child, now_text

from msgqueue import TaskQueue
from msgqueue.embedded import EmbeddedServer
from msgqueue.jobs import Claimed, Outcome
from msgqueue.store.messages import Ended
from msgqueue.worker.execution import Call, Execution
from msgqueue.worker.exits import Death, Exit
from msgqueue.worker.limits import TimeLimit
from msgqueue.worker.rq_path import RqPath, task_rules
from msgqueue.worker.shared import clock

names = st.sampled_from((b"tests.server.tasks.add", b"os.getpid", b"nowhere.at.all", b""))
numbers = st.integers(-1, 3).map(b"%d".__mod__)
hook = {"url": "http://127.0.0.1:9/", "statuses": ["finished", "failed"], "headers": {}}
hooks: st.SearchStrategy[Any] = st.sampled_from(
    [[hook], [{}], hook, [[]], [{**hook, "statuses": 7}], None, "x"]
)
calls = st.sampled_from(
    (
        b'["tests.server.tasks.add", null, [1, 2], {}]',
        b'["tests.server.tasks.fail", null, ["no"], {}]',
        b'["os.getpid", null, [], {}]',
        canary.PICKLE,
    )
)
FIELDS: Mapping[str, st.SearchStrategy[bytes]] = {
    "data": damaged(calls),
    "webhooks": hooks.map(json.dumps).map(str.encode),
    "created_at": damaged(st.just(b"2026-11-24T08:00:00.000000Z")),
    "repeat_intervals": damaged(st.just(b"[1]")),
    "meta": damaged(st.just(canary.PICKLE)),
    "dependency_ids": damaged(st.just(b'["a"]')),
    "group_id": damaged(st.just(b"group")),
    **{f"{one}_callback_name": damaged(names) for one in ("success", "failure", "stopped")},
    **{f"{one}_callback_timeout": damaged(numbers) for one in ("success", "failure")},
    **{
        name: damaged(numbers)
        for name in ("timeout", "repeats_left", "rate_limit_concurrency", "result_ttl", "ttl")
    },
    "rate_limit_key": damaged(st.just(b"limit")),
    "enqueue_at_front": damaged(numbers),
    "retries_left": damaged(numbers),
}
some = st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=4, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries({name: FIELDS[name] for name in chosen})
)


@pytest.fixture(scope="module")
def queue(server: EmbeddedServer) -> Iterator[TaskQueue]:
    queue = TaskQueue(server.url)
    for function in (tasks.add, tasks.fail):
        queue.task(function)
    yield queue
    queue.close()


@pytest.fixture(scope="module")
def limit() -> TimeLimit:
    return TimeLimit()


def run(queue: TaskQueue, limit: TimeLimit, job: Claimed, path: RqPath) -> Outcome:
    """Run a job as a worker's child does."""
    if job.rq_only:
        ending = path.run(job, clock(), lambda _until: None)
    else:
        execution = Execution(queue, limit, "a worker")
        read = execution.read(job)
        ending = execution.run(read, job, clock()) if isinstance(read, Call) else read
    return Outcome(job.queue, job.id, job.execution, ending.kind, ending.value, 1.0, 2.0)


@fuzzed(80)
@given(fields=some)
def test_a_damaged_job_of_rq_ends_alone(
    queue: TaskQueue, limit: TimeLimit, fields: Mapping[str, bytes]
) -> None:
    canary.SANG.clear()
    client: redis.Redis = queue.source.client()
    client.flushdb()
    call = b'["tests.server.tasks.add", null, [1, 2], {}]'
    base: dict[Any, Any] = {
        "status": "queued",
        "origin": "default",
        "data": call,
        "created_at": now_text(),
    }
    client.hset("rq:job:a", mapping=base | dict(fields))
    client.rpush("rq:queue:default", "a")
    child, path = Child(queue.store), RqPath(task_rules(queue, "w"), limit)

    for job in child.claim(2):
        outcome = run(queue, limit, job, path)
        child.work(outcome, claim=0)
        path.after_report()
        died = Ended(*job[:3], "death", "WorkerDied", 1.0, 2.0)
        path.after_deaths([Death(died, 1, Exit(-9, None))])

    assert client.zcard("rq:wip:default") == 0
    assert canary.SANG == []
