"""Waiting for what others do: another thread, another process, Redis."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    within: float = 20.0,
    what: str | Callable[[], str] = "",
    pause: float = 0.01,
) -> T:
    """Wait until a condition holds, and return what it said.

    Args:
        condition: asked again after each pause.
        within: seconds until it fails the test.
        what: for the message, if the condition's name does not tell.
        pause: seconds.
    """
    until = time.monotonic() + within
    while not (held := condition()):
        if time.monotonic() > until:
            name = getattr(condition, "__name__", str(condition))
            told = what() if callable(what) else what
            raise AssertionError(f"not within {within:g} s: {told or name}")
        time.sleep(pause)
    return held
