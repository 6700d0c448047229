"""Tasks that the tests of the server enqueue."""

from typing import Any


def add(first: int, second: int) -> int:
    return first + second


def take(received: dict[str, Any]) -> int:
    return len(received)


def fail(message: str) -> None:
    raise ValueError(message)
