"""How a child process ended, as the system tells its parent."""

import os
import signal
from dataclasses import dataclass
from resource import struct_rusage
from typing import NamedTuple

from msgqueue.store.messages import Ended


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended.

    Attributes:
        code: its exit code, or less than 0 for a signal.
        peak: memory in MiB, if known.
        by_kernel: whether the kernel was killing for want of memory at that time.
        usage: what it took in all, if known.
    """

    code: int
    peak: float | None
    by_kernel: bool = False
    usage: struct_rusage | None = None

    def __str__(self) -> str:
        if self.code < 0:
            who = ", most likely by the kernel for want of memory" if self.by_kernel else ""
            return f"killed by {_signal_name(-self.code)}{who}{self.memory}"
        return f"ended with exit code {self.code}{self.memory}"

    @property
    def memory(self) -> str:
        """What is told of its memory."""
        return f"; peak memory {self.peak:.0f} MiB" if self.peak is not None else ""

    @property
    def status(self) -> int:
        """As `os.waitpid` gives it."""
        return -self.code if self.code < 0 else self.code << 8


class Death(NamedTuple):
    """A run that ended with its process."""

    run: Ended
    pid: int
    exit: Exit


def exit_of(pid: int) -> Exit | None:
    """How a child of this process ended; None while it lives."""
    try:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:  # somebody else waited for it
        return Exit(1, None)
    if ended == 0:
        return None
    return Exit(os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024, usage=usage)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
