"""Lists and counts the jobs of several queues: operations, a step for each of the queues."""

import base64
import heapq
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from pydantic_core import from_json

from msgqueue.errors import InvalidOption
from msgqueue.jobs import JobInfo, JobStatus, Page
from msgqueue.store import steps
from msgqueue.store.messages import Row, Rows
from msgqueue.store.operations import Operation

Anchor = tuple[str, str]

MOST_A_PAGE = 1_000
START: Anchor = ("", "")
SCORE_SIGNS = frozenset("0123456789.e+-inf")


def jobs(
    queues: Sequence[str],
    status: JobStatus,
    limit: int,
    cursor: str | None = None,
    offset: int = 0,
) -> Operation[Page[JobInfo]]:
    """One page of the jobs of a status over several queues, newest first in each.

    `cursor` is where a former page ended; without one, `offset` jobs are skipped at the beginning.

    Raises:
        InvalidOption: `limit` is out of range, or the cursor of no page of this status.
    """
    if type(limit) is not int or not 1 <= limit <= MOST_A_PAGE:
        raise InvalidOption("limit", limit, f"it is a whole number from 1 to {MOST_A_PAGE:,}")
    anchors = read_cursor(cursor, status) if cursor else dict.fromkeys(queues, START)
    parts: dict[str, Rows] = {}
    for queue in queues:
        if queue in anchors:
            parts[queue] = yield from rows(queue, status, limit + offset, anchors[queue])
    merged = heapq.merge(*(part.rows for part in parts.values()), key=newest_first)
    passed = list(islice(merged, offset + limit))
    taken = {row.anchor for row in passed}
    left = {
        queue: place
        for queue, part in parts.items()
        if (place := resume(part, taken, anchors[queue])) is not None
    }
    next_cursor = write_cursor(left, status) if left else None
    return Page(tuple(row.job for row in passed[offset:]), next_cursor)


def totals(queues: Sequence[str]) -> Operation[dict[JobStatus, int]]:
    """How many jobs lie in each place, over several queues; stopped ones count as failed."""
    counts: dict[str, dict[JobStatus, int]] = yield steps.counts(queues)
    total: Counter[JobStatus] = Counter()
    for places in counts.values():
        total.update(places)
    return dict(total)


def rows(queue: str, status: JobStatus, limit: int, anchor: Anchor) -> Operation[Rows]:
    """Rows of one queue; stopped jobs lie among the failed and are picked out."""
    found: list[Row] = []
    last: Anchor | None = anchor
    while last is not None and len(found) < limit:
        part: Rows = yield steps.page(queue, status, limit, last)
        wanted = (r for r in part.rows if status != JobStatus.STOPPED or r.job.status == status)
        found += wanted
        last = part.last
    return Rows(tuple(found), last)


def resume(part: Rows, taken: set[Anchor], before: Anchor) -> Anchor | None:
    """Where the next page of a queue begins; None when it has been shown to its end."""
    shown = [row.anchor for row in part.rows if row.anchor in taken]
    if len(shown) == len(part.rows):
        return part.last
    return shown[-1] if shown else before


def newest_first(row: Row) -> float:
    """Sort key: the newest of what has happened to a job, latest first."""
    job = row.job
    moments: tuple[datetime | None, ...] = (job.ended_at, job.started_at, job.enqueued_at)
    moment = next((m for m in moments if m), job.created_at)
    return -moment.timestamp() if moment else 0.0


def write_cursor(anchors: dict[str, Anchor], status: JobStatus) -> str:
    """An opaque text of where each queue goes on."""
    raw = json.dumps([status.value, anchors], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_cursor(cursor: str, status: JobStatus) -> dict[str, Anchor]:
    """Where each queue goes on."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        word, anchors = from_json(raw)
        if word != status.value:
            raise ValueError(f"it belongs to the list of {word} jobs")
        return {queue: _anchor(*anchor) for queue, anchor in anchors.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidOption("cursor", cursor, "pass the next_cursor of the page before") from error


def _anchor(score: Any, last: Any) -> Anchor:
    if not (isinstance(score, str) and isinstance(last, str) and SCORE_SIGNS.issuperset(score)):
        raise ValueError("no score that Redis reads, or no id")
    float(score or 0)
    return score, last
