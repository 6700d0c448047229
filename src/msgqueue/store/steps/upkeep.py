"""Steps of upkeep: they put right what is left behind, queue what is due, drop what has expired."""

from collections.abc import Sequence
from typing import Any

from msgqueue.settings import DEFAULT_MAX_DELIVERIES
from msgqueue.store import keys
from msgqueue.store.codec import pack_traceback
from msgqueue.store.messages import Arg, Leftovers, Promoted, Swept
from msgqueue.store.script import script
from msgqueue.store.steps.step import Step

LOST = (
    "WorkerDied: the process that ran this job died, or was out of touch for longer than its lease,"
    " as often as max_deliveries allows"
)

#: What rq writes where it finds such a job itself.
ABANDONED = "Moved to FailedJobRegistry, due to AbandonedJobError"


def lead(token: str) -> Step[bool]:
    """Takes or renews the upkeep lock: each second, by who wants to sweep."""
    return Step(script("lead"), (f"{keys.MQ}upkeep",), (token,), bool)


def sweep(token: str, now_text: str, max_deliveries: int = DEFAULT_MAX_DELIVERIES) -> Step[Swept]:
    """Puts right what nobody refreshed for 8 s; at most 100 jobs a queue."""
    args: tuple[Arg, ...] = (token, now_text, max_deliveries, pack_traceback(LOST.encode()))

    def decode(raw: list[Any]) -> Swept:
        return Swept(raw[0].decode(), raw[1], raw[2], raw[3], float(raw[4]))

    return Step(script("sweep"), (f"{keys.MQ}upkeep",), args, decode)


def leftovers(token: str, now_text: str) -> Step[Leftovers]:
    """Ends what plain rq workers that died have left behind, by rq's rules."""
    reason = pack_traceback(f"{ABANDONED}, at {now_text}".encode())
    args = (token, now_text, reason)
    return Step(script("leftovers"), (f"{keys.MQ}upkeep",), args, lambda raw: Leftovers(*raw))


def promote(queues: Sequence[str], holder: str, now_text: str) -> Step[dict[str, Promoted]]:
    """Queues the due jobs of each queue, at most 100, unless a plain rq scheduler minds it."""

    def decode(raw: list[Any]) -> dict[str, Promoted]:
        said = (
            Promoted(word == b"busy", moved, float(rest) if rest else None)
            for word, moved, rest in raw
        )
        return dict(zip(queues, said, strict=True))

    return Step(script("promote"), (), (holder, now_text, *queues), decode)


def leave_promoting(queue: str, holder: str) -> Step[bool]:
    """Gives a queue's scheduler lock back."""
    return Step(script("unlock"), (f"{keys.RQ}scheduler-lock:{queue}",), (holder,), bool)


def handover(now_text: str) -> Step[int]:
    """Queues dependents of jobs that have ended, at most 100; how many."""
    return Step(script("handover"), (), (now_text,), int)


def trim(queue: str) -> Step[int]:
    """Drops what has expired from a queue's registries; how many ids."""
    return Step(script("trim"), (), (queue,), int)


def orphans(queue: str, now_text: str) -> Step[int]:
    """Ends the waiting of jobs that no parent will let go any more, of 100 a call; how many."""
    return Step(script("orphans"), (), (queue, now_text), int)
