"""Memory and a clock that a supervisor and its children share."""

import mmap
import os
import tempfile
import time
from multiprocessing import reduction
from multiprocessing.context import ForkContext, SpawnContext
from typing import Any, Final, Self

Context = ForkContext | SpawnContext
NEVER: Final = float("inf")
"""A time of `clock` that does not come."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds that no one sets and that go on while the machine sleeps; equal in all processes."""
    return time.clock_gettime(_CLOCK)


class SharedMemory:
    """Anonymous memory of a fixed size. Pages that nobody touched cost nothing.

    Args:
        size: bytes.
        fd: a file without a name behind it; -1 for memory that forked children alone can see.
    """

    def __init__(self, size: int, fd: int = -1) -> None:
        self._size, self._fd = size, fd
        self.map = mmap.mmap(fd, size)

    @classmethod
    def of(cls, context: Context, size: int) -> Self:
        """Memory for the children that this context starts."""
        return cls(size, -1 if context.get_start_method() == "fork" else anonymous_file(size))

    def __reduce__(self) -> tuple[Any, tuple[Any, int]]:
        return _attach, (reduction.DupFd(self._fd), self._size)

    def close(self) -> None:
        """Give the memory back; the other side keeps its own view."""
        self.map.close()
        if self._fd >= 0:
            os.close(self._fd)


def anonymous_file(size: int) -> int:
    """A file without a name, as its descriptor."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("msgqueue-journal", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


def _attach(fd: Any, size: int) -> SharedMemory:
    return SharedMemory(size, fd.detach())
