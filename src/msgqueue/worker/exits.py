"""How a child process ended, as the system tells its parent."""

import os
import signal
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: its signal or code, and its peak memory in MiB."""

    code: int
    peak: float | None

    def __str__(self) -> str:
        if self.code < 0:
            return f"killed by {_signal_name(-self.code)}{self.memory}"
        return f"ended with exit code {self.code}{self.memory}"

    @property
    def memory(self) -> str:
        """What is told of its memory."""
        return f"; peak memory {self.peak:.0f} MiB" if self.peak is not None else ""


def exit_of(pid: int) -> Exit | None:
    """How a child of this process ended; None while it lives."""
    try:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:  # somebody else waited for it
        return Exit(1, None)
    if ended == 0:
        return None
    return Exit(os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
