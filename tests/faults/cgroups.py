"""A limit of the memory of one process that the kernel itself enforces, by killing it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.patience import wait_until

ROOT = Path("/sys/fs/cgroup")


@contextmanager
def out_of_memory_beyond(mebibytes: int, pid: int) -> Iterator[None]:
    """Have the kernel kill a process that takes more than that from here on.

    Needs the right to make a control group with a limit of memory, version 1 or 2; else it skips.
    """
    parent, limit = _place()
    group = parent / f"faults-{pid}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        (group / limit).write_text(str(mebibytes << 20))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        group.rmdir()
        pytest.skip(f"no control group can limit memory here: {error}")
    try:
        yield
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), 10, "its process has ended")
        group.rmdir()


def _place() -> tuple[Path, str]:
    """Where groups with a limit of memory are made, and the name of that limit."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return ROOT / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
    return ROOT, "memory.max"
