"""Notes which coroutine has the event loop, and since when."""

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

R = TypeVar("R")


@coroutine
def noting_steps(
    running: Coroutine[Any, Any, R], enter: Callable[[], None], leave: Callable[[], None]
) -> Generator[Any, Any, R]:
    """Run a coroutine; each of its steps, from one suspension to the next, is noted.

    Args:
        running: the coroutine.
        enter: called before it goes on.
        leave: called when it waits, or has ended.
    """
    step: Callable[[], Any] = partial(running.send, None)
    while True:
        enter()
        try:
            waits_for = step()
        except StopIteration as end:
            result: R = end.value
            return result
        finally:
            leave()
        try:
            step = partial(running.send, (yield waits_for))
        except BaseException as error:  # noqa: BLE001 - thrown into the coroutine, a cancel too
            step = partial(running.throw, error)
