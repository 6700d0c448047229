"""The job that is measured: it does nothing, and its result is kept."""

from msgqueue.queue import TaskQueue

queue = TaskQueue()


@queue.task
def noop(first: int, second: int) -> int:
    """Do next to nothing with two small arguments."""
    return first + second
