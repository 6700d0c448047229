"""The figures of runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from tests.model.ledger import Ledger


@dataclass
class Tally:
    """What so many runs came to; all of them add up.

    Attributes:
        seeds: how many runs.
        calls: that were sent to Redis.
        misfortunes: what went wrong: with calls, processes, machines, Redis.
        crashes: processes that were killed.
        jobs: that were acknowledged.
        dependents: those of them that waited for others.
        starts: of their functions.
        plain_starts: of their functions, by plain rq workers.
        lost_by_rq: jobs that a plain rq worker lost when it died.
        lost: acknowledged jobs that neither ended nor are there.
        unexpected: jobs that ran and that nobody enqueued.
        duplicated: jobs that came to their end more than once, for a reason.
    """

    seeds: int = 0
    calls: int = 0
    misfortunes: int = 0
    crashes: int = 0
    jobs: int = 0
    dependents: int = 0
    starts: int = 0
    plain_starts: int = 0
    lost_by_rq: int = 0
    lost: int = 0
    unexpected: int = 0
    duplicated: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def count(self, ledger: Ledger, attempted: Mapping[str, object]) -> None:
        """Note what a ledger says at the end."""
        self.jobs = len(ledger.acknowledged)
        self.unexpected = len(ledger.begins.keys() - attempted.keys())
        for job_id in ledger.begins:
            tale = ledger.tale(job_id)
            ends = [how for how in tale.ended.values() if how in ("ok", "none")] if tale else []
            self.duplicated += len(ends) > 1

    def lines(self) -> Iterator[str]:
        """A line a figure."""
        for one in fields(self):
            yield f"{one.name:>14} {getattr(self, one.name):>12,}"
