"""The tasks: one job counts one file, one job adds the counts up."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from msgqueue import TaskQueue

queue = TaskQueue()


@dataclass(frozen=True)
class Totals:
    """What is left of all the counts.

    `fingerprint` is a hash over every word and its count: two counts are the same when theirs are.
    """

    files: int
    words: int
    distinct: int
    top: list[tuple[str, int]]
    fingerprint: str


@queue.task(result_ttl=3600)
def count_file(path: str) -> dict[str, int]:
    """Count the words of one file; bytes that are no UTF-8 end a word."""
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    return dict(Counter(re.findall(r"[^\W\d_]+", text.lower())))


@queue.task(result_ttl=3600, timeout=600)
def add_up(job_ids: list[str]) -> Totals:
    """Add up what these jobs counted."""
    words: Counter[str] = Counter()
    for job_id in job_ids:
        words.update(queue.job(job_id).result(timeout=10))
    return totals(len(job_ids), words)


def totals(files: int, words: Mapping[str, int]) -> Totals:
    """Sum up the words of so many files."""
    ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    return Totals(
        files=files,
        words=sum(words.values()),
        distinct=len(words),
        top=ranked[:20],
        fingerprint=sha256(repr(ranked).encode()).hexdigest(),
    )
