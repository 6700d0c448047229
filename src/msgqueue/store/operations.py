"""What takes several steps: a generator that yields them, gets their answers, returns a value."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from msgqueue.jobs import JobSpec
from msgqueue.store.steps import Step

R = TypeVar("R")
T = TypeVar("T")
Operation = Generator[Step[Any], Any, R]

CHUNK_JOBS = 500
CHUNK_BYTES = 1 << 20  # a larger call keeps Redis from others for too long


def drive(operation: Operation[R], run: Callable[[Step[Any]], Any]) -> R:
    """Run an operation's steps to its end; one that fails ends it."""
    try:
        step = next(operation)
        while True:
            step = operation.send(run(step))
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
