"""What takes several steps: generators that yield steps, get their answers and return a value."""

import base64
import heapq
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from itertools import islice
from typing import Any, Generic, TypeVar

from pydantic_core import from_json

from msgqueue.errors import InvalidOption, MsgqueueError
from msgqueue.jobs import JobInfo, JobSpec, JobStatus, Page
from msgqueue.store import steps
from msgqueue.store.messages import Row, Rows
from msgqueue.store.steps import Step

R = TypeVar("R")
T = TypeVar("T")
Operation = Generator[Step[Any], Any, R]
Anchor = tuple[str, str]

CHUNK_JOBS = 500
CHUNK_BYTES = 1 << 20  # a larger call keeps Redis from others for too long
MOST_A_PAGE = 1_000
START: Anchor = ("", "")
SCORE_SIGNS = frozenset("0123456789.e+-inf")


def drive(operation: Operation[R], run: Callable[[Step[Any]], Any]) -> R:
    """Run an operation's steps to its end; it is told of the errors of those that fail."""
    try:
        step = next(operation)
        while True:
            try:
                answer = run(step)
            except MsgqueueError as error:
                step = operation.throw(error)
            else:
                step = operation.send(answer)
    except StopIteration as end:
        value: R = end.value
        return value


def chunks(specs: Iterable[JobSpec]) -> Iterator[list[JobSpec]]:
    """Specs in pieces that one call to Redis may carry."""
    chunk: list[JobSpec] = []
    size = 0
    for spec in specs:
        if chunk and (len(chunk) == CHUNK_JOBS or size + len(spec.data) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(spec)
        size += len(spec.data)
    if chunk:
        yield chunk


class Ahead(Generic[T]):
    """Items of which the next one can be made before it is taken.

    An error that making it raises is raised when it is taken.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._made: Future[T | None] | None = None

    def make(self) -> None:
        """Make the next item, unless it is made."""
        if self._made is None:
            self._made = self._next()

    def take(self) -> T | None:
        """The next item; None behind the last one."""
        made, self._made = self._made or self._next(), None
        return made.result()

    def _next(self) -> Future[T | None]:
        made: Future[T | None] = Future()
        try:
            made.set_result(next(self._items, None))
        except Exception as error:  # noqa: BLE001 - whatever the caller's iterator raises
            made.set_exception(error)
        return made


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
