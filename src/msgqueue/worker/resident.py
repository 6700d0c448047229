"""How much memory a process takes, as its supervisor sees it."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgqueue.errors import ConfigurationError

MIB: Final = 1024 * 1024


def check(limit: float) -> None:
    """Whether a limit in MiB can be kept.

    Raises:
        ConfigurationError: it cannot.
    """
    if not limit > 0:
        raise ConfigurationError(f"max_memory={limit} cannot be used: give MiB above 0")
    if not sys.platform.startswith("linux"):
        raise ConfigurationError("max_memory needs Linux, which tells what a process takes")


def resident(pid: int) -> float:
    """MiB of a process in memory (RSS), what it shares counted in; 0 when it has ended."""
    with suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MIB
    return 0.0
