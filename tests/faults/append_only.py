"""The append-only file of a Redis, read to tell of which jobs a cut takes something away."""

from collections.abc import Iterator

from tests.faults.resp import end_of, words

HASH = b"rq:job:"


def jobs_behind(data: bytes, size: int) -> frozenset[str]:
    """The ids of jobs whose hash was written by what the first `size` bytes do not hold.

    Enqueues, claims and reports all write it; beats do not. A step is kept whole or not at all, so
    the one that is cut in two is lost.
    """
    keys = (key for end, step in _steps(data) if end > size for key in step)
    return frozenset(key.removeprefix(HASH).decode() for key in keys if key.startswith(HASH))


def _steps(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Where each step ends, and the first key of each of its commands."""
    keys: list[bytes] = []
    at, whole = 0, True
    while (end := end_of(data, at)) is not None:
        command, *rest = words(data[at:end], 2)
        at, whole = end, command == b"EXEC" or (whole and command != b"MULTI")
        keys += rest
        if whole:
            yield end, keys
            keys = []
