"""rq's own objects over our connections, and what differs between rq 2 and rq 3."""

import redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job

from msgqueue.errors import JobNotFound

SERIALIZERS = {"json": "rq.serializers.JSONSerializer", "pickle": "rq.serializers.PickleSerializer"}


def rq_queue(name: str, client: redis.Redis, serializer: str) -> Queue:
    """rq's queue of that name."""
    return Queue(name, connection=client, serializer=SERIALIZERS[serializer])


def rq_job(job_id: str, client: redis.Redis, serializer: str) -> Job:
    """rq's job of that id.

    Raises:
        JobNotFound: there is none.
    """
    try:
        return Job.fetch(job_id, connection=client, serializer=SERIALIZERS[serializer])
    except NoSuchJobError as error:
        raise JobNotFound(job_id) from error
