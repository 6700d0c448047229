"""Disks that are full for a server, and have room again."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.servers import Server

ROOM = 100_000  # bytes left until it is full
TMPFS = 8 << 20  # bytes
MOUNT = 'mount -t tmpfs -o size={} tmpfs "{}" && echo mounted && exec cat'


@dataclass(frozen=True)
class Disk:
    """Where a server writes to.

    Attributes:
        within: the command that runs the server, as words.
        fill: leave ROOM bytes to it.
        empty: have room again.
    """

    within: tuple[str, ...]
    fill: Callable[[Server], None]
    empty: Callable[[Server], None]


@contextmanager
def limited_file(_folder: Path) -> Iterator[Disk]:
    """No disk: a limit of what a file may take, of which a server hears as of a full disk."""

    def limit(server: Server, size: int) -> None:
        if server.alive:
            _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))

    yield Disk(
        within=("sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"),  # else the limit kills it
        fill=lambda server: limit(server, server.written + ROOM),
        empty=lambda server: limit(server, resource.RLIM_INFINITY),
    )


@contextmanager
def tmpfs(folder: Path) -> Iterator[Disk]:
    """A small disk in memory, mounted where only the server sees it.

    Mounting needs root, or a kernel that lets users have namespaces of their own; else it skips.
    """
    folder.mkdir()
    is_root = os.getuid() == 0
    own = () if is_root else ("--user", "--map-root-user")
    command = ["unshare", *own, "--mount", "sh", "-c", MOUNT.format(TMPFS, folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"mounted\n":
            pytest.skip("this user may not mount a tmpfs in a namespace of its own")
        disk = Path(f"/proc/{holder.pid}/root{folder}")
        join = ("nsenter", f"--target={holder.pid}", "--mount")
        yield Disk(
            within=join if is_root else (*join, "--user", "--preserve-credentials"),
            fill=lambda _: _weigh_down(disk),
            empty=lambda _: (disk / "ballast").unlink(),
        )
        holder.communicate()


def _weigh_down(disk: Path) -> None:
    free = shutil.disk_usage(disk).free
    (disk / "ballast").write_bytes(bytes(max(0, free - ROOM)))
