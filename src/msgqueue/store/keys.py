"""Names of keys: rq's own, under rq's prefix, and the few that msgqueue adds."""

from rq import defaults

PREFIX: str = getattr(defaults, "RQ_KEY_PREFIX", "rq")  # rq 3 reads it from the environment
RQ = f"{PREFIX}:"
MQ = "msgqueue:" if PREFIX == "rq" else f"{PREFIX}:msgqueue:"


def queue(name: str) -> str:
    """The list of ids that wait in a queue."""
    return f"{RQ}queue:{name}"


def job(job_id: str) -> str:
    """The hash of a job."""
    return f"{RQ}job:{job_id}"


def results(job_id: str) -> str:
    """The stream of a job's results."""
    return f"{RQ}results:{job_id}"


def worker(name: str) -> str:
    """The hash of a worker."""
    return f"{RQ}worker:{name}"


def commands(worker_name: str) -> str:
    """The channel on which a worker hears rq's commands."""
    return f"{RQ}pubsub:{worker_name}"
