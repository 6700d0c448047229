"""Memory and a clock that a supervisor and its children share."""

import mmap
import os
import tempfile
import time
from multiprocessing import reduction
from multiprocessing.context import ForkContext, SpawnContext
from typing import Any

Context = ForkContext | SpawnContext
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds that no one sets and that go on while the machine sleeps; equal in all processes."""
    return time.clock_gettime(_CLOCK)


class SharedMemory:
    """Anonymous memory of a fixed size; forked children see it, spawned ones are sent it.

    Pages that nobody touched cost nothing.
    """

    def __init__(self, size: int, fd: int | None = None) -> None:
        self._size = size
        self._fd = _anonymous_file(size) if fd is None else fd
        self.map = mmap.mmap(self._fd, size)

    def __reduce__(self) -> tuple[Any, tuple[Any, int]]:
        return _attach, (reduction.DupFd(self._fd), self._size)

    def close(self) -> None:
        """Give the memory back; the other side keeps its own view."""
        self.map.close()
        os.close(self._fd)


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("msgqueue-journal", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


def _attach(fd: Any, size: int) -> SharedMemory:
    return SharedMemory(size, fd.detach())
