"""Steps about jobs that were set aside since they could not be read."""

from datetime import UTC, datetime
from typing import Any

from msgqueue.store.codec import text
from msgqueue.store.messages import Damage, Damages, Remains, Restored
from msgqueue.store.script import script
from msgqueue.store.steps.step import Step


def damaged(limit: int) -> Step[Damages]:
    """What was set aside, the newest first."""

    def decode(raw: list[Any]) -> Damages:
        return Damages(raw[0], tuple(_damage(text(job_id), at, why) for job_id, at, why in raw[1:]))

    return Step(script("damaged"), (), (limit,), decode)


def remains(job_id: str) -> Step[Remains | None]:
    """One job that was set aside; None if it was not, or is gone."""

    def decode(raw: list[Any] | None) -> Remains | None:
        if not raw:
            return None
        at, why, kind, values = raw
        return Remains(_damage(job_id, at, why), text(kind), tuple(values))

    return Step(script("aside"), (), (job_id,), decode)


def restore(job_id: str, now_text: str) -> Step[Restored]:
    """Puts one back into its queue, at the end.

    `replaced`: another job has its id by now; `unfit`: it is no hash that names a queue and a call.
    """
    return Step(script("restore"), (), (job_id, now_text), lambda raw: raw.decode())


def discard(job_id: str) -> Step[bool]:
    """Deletes one for good; whether it was there."""
    return Step(script("discard"), (), (job_id,), bool)


def _damage(job_id: str, at: bytes, reason: bytes) -> Damage:
    return Damage(job_id, datetime.fromtimestamp(float(at), UTC), text(reason))
