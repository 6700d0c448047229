"""Tasks whose calls are pickled, so that rq can be given the task itself."""

from typing import Any

from msgqueue import TaskQueue

queue = TaskQueue(serializer="pickle")


@queue.task
def add(a: int, b: int) -> int:
    return a + b


@queue.task
def note(job: Any, connection: Any, result: Any) -> None:
    return None
