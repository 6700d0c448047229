"""Jobs that wait for others, as plain rq enqueues them: in one transaction that watches these."""

from collections.abc import Sequence
from typing import Any

import redis
from tests.model.model import Job
from tests.model.world import World

from msgqueue.jobs import JobSpec


def defer(world: World, spec: JobSpec, parents: Sequence[str], *, lenient: bool) -> bool:
    """Plain rq enqueues a job behind others.

    Args:
        world: where.
        spec: the job, without options.
        parents: ids of those that it waits for.
        lenient: whether they may fail.

    Returns:
        Whether it waits; where it need not, or rq would refuse it, nothing is done.
    """
    model = world.model
    job = Job(spec.queue, world.time.text, "deferred", "deferred", lenient=lenient)
    job.parents = sorted(set(parents))
    if model.met(job) or not model.jobs.keys() >= set(parents):
        return False
    world.redis.by_hand(lambda plain: _write(plain, spec, job))
    for parent in job.parents:
        model.dependents.setdefault(parent, []).append(spec.id)
        if model.jobs[parent].final:
            world.lasting.add(f"rq:job:{parent}:dependents")
    model.jobs[spec.id] = job
    model.known.add(job.queue)
    world.ledger.deferred(spec.id)
    return True


def _write(plain: redis.Redis, spec: JobSpec, job: Job) -> None:
    fields: dict[Any, Any] = {"status": "deferred", "origin": job.queue, "data": spec.data}
    fields |= {"created_at": job.created, "timeout": str(spec.timeout)}
    fields |= {"allow_dependency_failures": str(int(job.lenient))}
    with plain.pipeline() as pipe:
        pipe.hset(f"rq:job:{spec.id}", mapping=fields)
        pipe.zadd(f"rq:deferred:{job.queue}", {spec.id: 1})
        pipe.sadd("rq:queues", f"rq:queue:{job.queue}")
        for parent in job.parents:
            pipe.sadd(f"rq:job:{parent}:dependents", spec.id)
            pipe.sadd(f"rq:job::{spec.id}:dependencies", parent)
        pipe.execute()
