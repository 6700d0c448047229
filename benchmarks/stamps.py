"""The moments that jobs note themselves, in memory that every process shares with the runner.

A job writes eight bytes into a mapped file: no system call, the same cost for every contender,
seen at once by whoever looks, and still there when the process was killed. The clock is the
system's monotonic one, which all processes of a machine share.
"""

import mmap
from pathlib import Path
from time import monotonic

ROOM = 1_050_000
"""How many jobs one measurement may have."""
PROBE = ROOM - 1
"""The index of the job that shows that workers are ready."""


class Stamps:
    """When each job began last and first ended, and how often, by its index.

    Args:
        path: a file that `create` made.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        whole, moments = memoryview(self._map), 8 * ROOM
        self.starts = whole[:moments].cast("d")
        self.ends = whole[moments : 2 * moments].cast("d")
        self._runs = whole[2 * moments : 2 * moments + ROOM]
        self._endings = whole[2 * moments + ROOM :]

    @classmethod
    def create(cls, path: Path) -> "Stamps":
        """Make the file."""
        with path.open("wb") as file:
            file.truncate(18 * ROOM)
        return cls(path)

    def began(self, index: int) -> None:
        """Called by a job first of all."""
        self.starts[index] = monotonic()
        self._runs[index] += 1

    def ended(self, index: int) -> None:
        """Called by a job last of all."""
        if not self._endings[index]:
            self.ends[index] = monotonic()
        self._endings[index] += 1

    def clear(self) -> None:
        """Forget every job."""
        self._map.seek(0)
        self._map.write(bytes(len(self._map)))

    def begun(self, jobs: int) -> int:
        """How many of the first `jobs` jobs have begun."""
        return jobs - bytes(self._runs[:jobs]).count(0)

    def done(self, jobs: int) -> int:
        """How many of the first `jobs` jobs have ended."""
        return jobs - bytes(self._endings[:jobs]).count(0)

    def done_again(self, jobs: int) -> list[int]:
        """Which of the first `jobs` jobs ended more than once."""
        return [index for index, count in enumerate(self._endings[:jobs]) if count > 1]

    def twice(self, jobs: int) -> int:
        """How many of the first `jobs` jobs began more than once."""
        return sum(count > 1 for count in self._runs[:jobs])
