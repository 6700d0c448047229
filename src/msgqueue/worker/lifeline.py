"""How a child learns that its supervisor died: a pipe whose other end only the supervisor holds."""

import fcntl
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from msgqueue.worker.shared import clock

AFTERWARDS: Final = 2.0  # seconds to report in, after the last job had to end


class Lifeline:
    """Watches the pipe by a signal, so that a running job need not end first.

    Args:
        fd: the pipe's end; nothing is ever written to it.
        end_by: called with the clock time by which a running job must have ended.
        grace: seconds from the loss to that time: the lease runs on for so long.
    """

    def __init__(self, fd: int, end_by: Callable[[float], None], grace: float) -> None:
        self._fd, self._end_by, self._grace = fd, end_by, grace
        self._lost_at: float | None = None
        signal.signal(signal.SIGIO, self._hear)
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK | getattr(os, "O_ASYNC", 0))
        self._hear(signal.SIGIO, None)  # it may have died before

    @property
    def lost(self) -> bool:
        """Whether the supervisor is gone."""
        return self._lost_at is not None

    def over(self) -> bool:
        """Whether it has been gone for so long that reports would be refused."""
        return self._lost_at is not None and clock() > self._lost_at + self._grace + AFTERWARDS

    def persist(self, seconds: float, owing: bool) -> bool:
        """Sleep between two tries to reach Redis; whether to try again.

        Args:
            seconds: how long; shorter when the supervisor dies meanwhile.
            owing: whether there is anything to report. Without, nothing is tried when it is dead.
        """
        if self._lost_at is None:
            self._look(seconds)
        elif owing:
            time.sleep(seconds)  # nothing tells when Redis is back, and nobody else is waited for
        return self._lost_at is None or (owing and not self.over())

    def cut(self) -> None:
        """The supervisor is known to be gone."""
        if self._lost_at is None:
            self._lost_at = clock()
            self._end_by(self._lost_at + self._grace)
            # Code that holds the interpreter for ever must not leave a process behind.
            timer = threading.Timer(self._grace + 2 * AFTERWARDS, os._exit, (1,))
            timer.daemon = True
            timer.start()

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        self._look(0)

    def _look(self, seconds: float) -> None:
        """See whether it dies within so many seconds."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if any(state & (select.POLLHUP | select.POLLERR) for _, state in poll.poll(seconds * 1000)):
            self.cut()
