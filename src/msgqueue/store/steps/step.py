"""A step of the protocol: what to call in Redis, and how its answer is read. No I/O."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from msgqueue.store.messages import Arg
from msgqueue.store.script import Script

R = TypeVar("R")


class Step(NamedTuple, Generic[R]):
    """One call to Redis: a script, its keys and arguments, and how its answer is read.

    Attributes:
        meanwhile: called while Redis is at work, by who waits for its answer and nothing else.
    """

    script: Script
    keys: Sequence[str]
    args: Sequence[Arg]
    decode: Callable[[Any], R]
    meanwhile: Callable[[], None] | None = None
