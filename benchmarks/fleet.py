"""The worker processes of one contender, and what the kernel says of them (Linux: /proc)."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

STOP_WITHIN = 3.0
"""Seconds from SIGTERM until SIGKILL."""
_TICKS = os.sysconf("SC_CLK_TCK")


class Fleet:
    """Started at once; every process that they start in turn belongs to it.

    Args:
        commands: one a process that is started here; each leads a session of its own.
        environment: the whole of theirs.
        log: where their output goes.
    """

    def __init__(
        self, commands: Sequence[Sequence[str]], environment: Mapping[str, str], log: IO[bytes]
    ) -> None:
        self._leaders = [
            subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for command in commands
        ]

    def pids(self) -> list[int]:
        """All that live."""
        sessions = {leader.pid for leader in self._leaders}
        return [int(stat[0]) for stat in _stats() if int(stat[4]) in sessions and stat[1] != "Z"]

    def children(self) -> list[int]:
        """Those that the started ones have started themselves."""
        leaders = {leader.pid for leader in self._leaders}
        return [int(stat[0]) for stat in _stats() if int(stat[2]) in leaders and stat[1] != "Z"]

    def cpu(self) -> float:
        """Seconds of processor time, of processes that have ended too."""
        sessions = {leader.pid for leader in self._leaders}
        ticks = [sum(map(int, stat[12:16])) for stat in _stats() if int(stat[4]) in sessions]
        return sum(ticks) / _TICKS

    def memory(self) -> int:
        """Proportional set size in bytes: what is shared counts in parts."""
        return sum(_proportional(pid) for pid in self.pids())

    def alive(self) -> bool:
        """Whether every process that was started here still runs."""
        return all(leader.poll() is None for leader in self._leaders)

    def kill_leaders(self) -> None:
        """SIGKILL to those that were started here alone."""
        for leader in self._leaders:
            leader.kill()
            leader.wait()

    def kill(self) -> None:
        """SIGKILL to all, until none is left."""
        while pids := self.pids():
            for pid in pids:
                _signal(pid, signal.SIGKILL)
            for leader in self._leaders:
                leader.poll()  # a dead one stays in the list until it is asked for
            time.sleep(0.001)

    def stop(self) -> None:
        """SIGTERM to those that were started here, SIGKILL to what is left after a while."""
        until = time.monotonic() + STOP_WITHIN
        for leader in self._leaders:
            leader.terminate()
        for leader in self._leaders:
            try:
                leader.wait(max(until - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                pass
        self.kill()


def _stats() -> Iterator[list[str]]:
    """The fields of every process's `stat`: the pid, then those from the state (the third) on."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        name_ends = text.rindex(")")
        yield [text[: text.index(" ")], *text[name_ends + 2 :].split()]


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
