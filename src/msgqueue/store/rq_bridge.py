"""rq's own objects over our connections, and what differs between rq 2 and rq 3."""

import redis
from rq import Queue as RqQueue
from rq.exceptions import NoSuchJobError
from rq.job import Job as RqJob

from msgqueue.errors import JobNotFound
from msgqueue.serializers import Serializer

__all__ = ["RqJob", "RqQueue", "rq_job", "rq_queue"]


def rq_queue(name: str, client: redis.Redis, serializer: Serializer) -> RqQueue:
    """rq's queue of that name."""
    return RqQueue(name, connection=client, serializer=serializer)


def rq_job(job_id: str, client: redis.Redis, serializer: Serializer) -> RqJob:
    """rq's job of that id.

    Raises:
        JobNotFound: there is none.
    """
    try:
        return RqJob.fetch(job_id, connection=client, serializer=serializer)
    except NoSuchJobError as error:
        raise JobNotFound(job_id) from error
