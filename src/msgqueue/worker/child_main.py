"""What a child's process runs: it leaves what is its supervisor's alone, and works."""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType

from msgqueue.queue import TaskQueue
from msgqueue.settings import SECRET_NAMES
from msgqueue.worker import memory
from msgqueue.worker.child import Child
from msgqueue.worker.limits import SupervisorLost
from msgqueue.worker.outfit import Outfit
from msgqueue.worker.reference import Recipe


def main(outfit: Outfit, queue: TaskQueue, forget: Callable[[], None]) -> None:
    """What a child process runs.

    Args:
        outfit: from the supervisor.
        queue: whose jobs it runs.
        forget: closes this process's copies of what belongs to the supervisor.
    """
    os.setpgid(0, 0)  # a signal to the supervisor's group is the supervisor's to handle
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, _leave_it)  # SIG_IGN would be inherited by what a job starts
    forget()
    queue.source.pin()
    for name in SECRET_NAMES:
        os.environ.pop(name, None)
    # The supervisor, or the sweep, gives back what was still held.
    with suppress(SupervisorLost):
        Child(queue, outfit).run()


def main_spawned(outfit: Outfit, recipe: Recipe) -> None:
    """What a child process runs that was not forked from the supervisor."""
    with ExitStack() as stack:
        queue = recipe.follow(stack)
        memory.settle()
        main(outfit, queue, lambda: None)


def _leave_it(_signal: int, _frame: FrameType | None) -> None:
    pass
