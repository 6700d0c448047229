"""Whether the kernel has just killed a process for want of memory."""

from collections import deque
from pathlib import Path
from typing import Final

from msgqueue.worker.shared import clock

VMSTAT: Final = Path("/proc/vmstat")
NAME: Final = b"\noom_kill "
EVERY: Final = 1.0  # seconds between two looks
LOOKS: Final = 3  # how many are kept: a large process takes a while to end


class OomKills:
    """Counts what the kernel has killed on this machine in the last few seconds; Linux only."""

    def __init__(self) -> None:
        self._looks = deque([_count()], maxlen=LOOKS)
        self._at = clock()

    def look(self) -> None:
        """Keep what is counted until now, once a second."""
        if clock() >= self._at + EVERY:
            self._at = clock()
            self._looks.append(_count())

    def recent(self) -> bool:
        """Whether there was one."""
        return _count() > self._looks[0]


def _count() -> int:
    try:
        told = VMSTAT.read_bytes()
    except OSError:  # no Linux
        return 0
    _, found, rest = told.partition(NAME)
    return int(rest.split(b"\n", 1)[0]) if found else 0
