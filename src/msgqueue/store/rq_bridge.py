"""rq's own objects over our connections, and what differs between rq 2 and rq 3."""

import redis
from rq import Queue as RqQueue
from rq.exceptions import NoSuchJobError
from rq.job import Job as RqJob

from msgqueue.errors import JobNotFound

__all__ = ["RqJob", "RqQueue", "rq_job", "rq_queue"]

SERIALIZERS = {"json": "rq.serializers.JSONSerializer", "pickle": "rq.serializers.PickleSerializer"}


def rq_queue(name: str, client: redis.Redis, serializer: str) -> RqQueue:
    """rq's queue of that name."""
    return RqQueue(name, connection=client, serializer=SERIALIZERS[serializer])


def rq_job(job_id: str, client: redis.Redis, serializer: str) -> RqJob:
    """rq's job of that id.

    Raises:
        JobNotFound: there is none.
    """
    try:
        return RqJob.fetch(job_id, connection=client, serializer=SERIALIZERS[serializer])
    except NoSuchJobError as error:
        raise JobNotFound(job_id) from error
