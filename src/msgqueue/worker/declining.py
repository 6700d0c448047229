"""What this worker's code cannot carry out is declined: a worker of another version may know it."""

import logging
from typing import Final

from msgqueue.errors import InvalidArguments, UnknownTask
from msgqueue.jobs import Claimed
from msgqueue.observe.logs import event
from msgqueue.settings import PAUSES_BETWEEN_OFFERS
from msgqueue.worker.endings import Ending, failure

OFFERS: Final = 1 + len(PAUSES_BETWEEN_OFFERS)
SHOWN: Final = 200  # characters in the log of what came from Redis

logger = logging.getLogger(__name__)


def decline(job: Claimed, error: Exception, task: str, worker: str) -> Ending:
    """The ending of a run of which nothing of the user's function was entered.

    The report offers the job to workers again, or, once it was offered often enough, fails it with
    this error.

    Args:
        job: the job.
        error: why it cannot be carried out here.
        task: its task's name or path.
        worker: who declines it.
    """
    offers, pauses = 1 + job.declined, PAUSES_BETWEEN_OFFERS[job.declined :]
    event(
        logger,
        "job declined",
        level=logging.WARNING,
        job=job.id,
        task=task[:SHOWN],
        queue=job.queue,
        worker=worker,
        offer=f"{offers} of {OFFERS}",
        again_in_seconds=pauses[0] if pauses else None,
        why=_why(error)[:SHOWN],
    )
    if not pauses:
        seconds = sum(PAUSES_BETWEEN_OFFERS)
        error.add_note(
            f"It was offered to workers {OFFERS} times, over more than {seconds} s:"
            " none that took it could carry it out."
        )
    return failure(error)._replace(kind="declined")


def _why(error: Exception) -> str:
    """For the log: names alone, never a value."""
    if isinstance(error, UnknownTask):
        return "no task of that name is registered here"
    if isinstance(error, InvalidArguments):
        names = sorted({str(problem["loc"][0]) for problem in error.problems})
        return f"its function here refuses the arguments {', '.join(names)}"
    return str(error)
