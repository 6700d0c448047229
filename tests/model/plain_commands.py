"""The commands of a plain rq worker, as its versions 2 and 3 send them; see rq's worker and job."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import redis
from redis.client import Pipeline
from tests.model.virtual import plain_step

from msgqueue.store.steps import Step

LEASE = 90  # seconds
REGISTERED = 480
YEAR = 31_536_000


class Run(NamedTuple):
    """One run of a job; times are Unix seconds and rq's text of them."""

    worker: str
    queue: str
    id: str
    execution: str

    @property
    def key(self) -> str:
        """The job's hash."""
        return f"rq:job:{self.id}"


def register(worker: str, queues: tuple[str, ...], text: str) -> Step[None]:
    """It is born."""
    fields: dict[Any, Any] = {
        "birth": text,
        "last_heartbeat": text,
        "queues": ",".join(queues),
        "state": "idle",
    }

    def write(pipe: Pipeline) -> None:
        pipe.hset(f"rq:worker:{worker}", mapping=fields)
        pipe.expire(f"rq:worker:{worker}", REGISTERED)
        for crew in ("rq:workers", *(f"rq:workers:{queue}" for queue in queues)):
            pipe.sadd(crew, f"rq:worker:{worker}")

    return plain_step("rq: register", _at_once(write))


def pop(
    queues: tuple[str, ...], popped: Callable[[str, str], None]
) -> Step[tuple[str, str] | None]:
    """Take the first id, out of Redis; that of a single queue to its intermediate list."""

    def do(plain: redis.Redis) -> tuple[str, str] | None:
        for queue in queues:
            key = f"rq:queue:{queue}"
            if len(queues) == 1:
                raw: Any = plain.lmove(key, f"{key}:intermediate", "LEFT", "RIGHT")
            else:
                raw = plain.lpop(key)
            if raw is not None:
                popped(queue, raw.decode())
                return queue, raw.decode()
        return None

    return plain_step("rq: pop", do)


def prepare(run: Run, now: float, prepared: Callable[[], None]) -> Step[None]:
    """The worker notes the execution, before the job says anything of it."""
    member = f"{run.id}:{run.execution}"

    def do(plain: redis.Redis) -> None:
        _at_once(write)(plain)
        prepared()

    def write(pipe: Pipeline) -> None:
        fields: dict[Any, Any] = {"id": run.execution, "worker_name": run.worker, "created_at": now}
        pipe.hset(f"rq:execution:{member}", mapping=fields)
        pipe.expire(f"rq:execution:{member}", LEASE)
        pipe.zadd(f"rq:executions:{run.id}", {run.execution: now + LEASE + 60})
        pipe.expire(f"rq:executions:{run.id}", LEASE + 60)
        pipe.zadd(f"rq:wip:{run.queue}", {member: now + LEASE})
        pipe.hset(f"rq:worker:{run.worker}", "state", "busy")

    return plain_step("rq: prepare", do)


def start(run: Run, text: str) -> Step[None]:
    """Its work-horse notes that the job starts."""

    def write(pipe: Pipeline) -> None:
        fields: dict[Any, Any] = {
            "status": "started",
            "started_at": text,
            "worker_name": run.worker,
        }
        pipe.hset(run.key, mapping=fields)
        pipe.lrem(f"rq:queue:{run.queue}:intermediate", 1, run.id)
        pipe.persist(run.key)

    return plain_step("rq: start", _at_once(write))


def succeed(run: Run, now: float, text: str, done: Callable[[Sequence[str]], None]) -> Step[None]:
    """The job has returned: who waits for it is let go in the same transaction."""

    def do(plain: redis.Redis) -> None:
        ttl = int(_field(plain, run.key, "result_ttl") or 500)
        followers = _followers(plain, run, "finished")
        with plain.pipeline() as pipe:
            _let_go(pipe, run, followers, text)
            pipe.hset(run.key, mapping={"status": "finished", "ended_at": text, "worker_name": ""})
            if ttl != 0:
                _add_result(pipe, run, 1, ttl)
                pipe.zadd(f"rq:finished:{run.queue}", {run.id: "+inf" if ttl < 0 else now + ttl})
            _clean_up(pipe, run, ttl)
            _end_execution(pipe, run)
            pipe.execute()
        done([name for name, _ in followers])

    return plain_step("rq: succeed", do)


def fail(run: Run, now: float, text: str, done: Callable[[], None]) -> Step[bool]:
    """The job has raised; whether it is final."""

    def do(plain: redis.Redis) -> bool:
        left = int(_field(plain, run.key, "retries_left") or 0)
        ttl = int(_field(plain, run.key, "failure_ttl") or YEAR)
        intervals = json.loads(_field(plain, run.key, "retry_intervals") or "[]")
        with plain.pipeline() as pipe:
            _end_execution(pipe, run)
            if left > 0:
                pipe.hset(run.key, mapping={"retries_left": left - 1, "worker_name": ""})
                at = max(len(intervals) - left, 0)
                _try_again(pipe, run, intervals[at] if intervals else 0, now, text)
            else:
                pipe.hset(run.key, mapping={"status": "failed", "ended_at": text})
                _add_result(pipe, run, 2, ttl)
                pipe.zadd(f"rq:failed:{run.queue}", {run.id: now + ttl})
                _clean_up(pipe, run, ttl)
            pipe.execute()
        done()
        return left == 0

    return plain_step("rq: fail", do)


def let_followers_go(run: Run, text: str, done: Callable[[Sequence[str]], None]) -> Step[None]:
    """Who lets it fail is let go, in a transaction of its own."""

    def do(plain: redis.Redis) -> None:
        followers = _followers(plain, run, _field(plain, run.key, "status"))
        with plain.pipeline() as pipe:
            _let_go(pipe, run, followers, text)
            pipe.execute()
        done([name for name, _ in followers])

    return plain_step("rq: let go", do)


def _at_once(write: Callable[[Pipeline], None]) -> Callable[[redis.Redis], None]:
    def do(plain: redis.Redis) -> None:
        with plain.pipeline() as pipe:
            write(pipe)
            pipe.execute()

    return do


def _field(plain: redis.Redis, key: str, name: str) -> str:
    raw: Any = plain.hget(key, name)
    return raw.decode() if raw else ""


def _followers(plain: redis.Redis, run: Run, status: str) -> list[tuple[str, str]]:
    """Ids and queues of those that this end, and those of their other parents, let go."""
    found = []
    waiting: Any = plain.smembers(f"{run.key}:dependents")
    for name in sorted(one.decode() for one in waiting):
        key = f"rq:job:{name}"
        lenient = _field(plain, key, "allow_dependency_failures") == "1"
        ends = {"finished", "failed"} if lenient else {"finished"}
        parents: Any = plain.smembers(f"rq:job::{name}:dependencies")
        said = [_field(plain, f"rq:job:{one.decode()}", "status") for one in parents
                if one.decode() != run.id]  # fmt: skip
        met = status in ends and all(not one or one in ends for one in said)
        if met and _field(plain, key, "status") not in ("", "canceled"):
            found.append((name, _field(plain, key, "origin")))
    return found


def _let_go(pipe: Pipeline, run: Run, followers: list[tuple[str, str]], text: str) -> None:
    for name, queue in followers:
        pipe.srem(f"{run.key}:dependents", name)
        pipe.zrem(f"rq:deferred:{queue}", name)
        pipe.sadd("rq:queues", f"rq:queue:{queue}")
        pipe.hset(f"rq:job:{name}", mapping={"status": "queued", "enqueued_at": text})
        pipe.rpush(f"rq:queue:{queue}", name)


def _try_again(pipe: Pipeline, run: Run, interval: float, now: float, text: str) -> None:
    if interval:
        pipe.hset(run.key, "status", "scheduled")
        pipe.zadd(f"rq:scheduled:{run.queue}", {run.id: int(now + interval)})
    else:
        pipe.hset(run.key, mapping={"status": "queued", "enqueued_at": text})
        pipe.rpush(f"rq:queue:{run.queue}", run.id)


def _add_result(pipe: Pipeline, run: Run, kind: int, ttl: int) -> None:
    key = f"rq:results:{run.id}"
    pipe.xadd(key, {"type": kind, "execution_id": run.execution}, maxlen=10)
    if ttl > 0:
        pipe.expire(key, ttl)


def _clean_up(pipe: Pipeline, run: Run, ttl: int) -> None:
    keys = run.key, f"{run.key}:dependents", f"rq:job::{run.id}:dependencies"
    for key in keys:
        if ttl == 0:
            pipe.delete(key)
        elif ttl < 0:
            pipe.persist(key)
        else:
            pipe.expire(key, ttl)


def _end_execution(pipe: Pipeline, run: Run) -> None:
    member = f"{run.id}:{run.execution}"
    pipe.delete(f"rq:execution:{member}")
    pipe.zrem(f"rq:wip:{run.queue}", member)
    pipe.zrem(f"rq:executions:{run.id}", run.execution)
    pipe.hset(f"rq:worker:{run.worker}", "state", "idle")
