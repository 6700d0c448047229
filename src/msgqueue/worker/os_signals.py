"""Signals of the operating system as bytes on a socket, so that a loop hears them in its turn."""

import signal
import socket
from types import FrameType
from typing import Final, Self


class Signals:
    """Hears SIGTERM, SIGINT and SIGCHLD while it is entered; in the main thread only."""

    HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()

    def __enter__(self) -> Self:
        self._here.setblocking(False)
        self._there.setblocking(False)
        self._before = {one: signal.signal(one, self._note) for one in self.HEARD}
        self._fd_before = signal.set_wakeup_fd(self._there.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd_before)
        for one, handler in self._before.items():
            signal.signal(one, handler)
        self.close()

    def fileno(self) -> int:
        """Readable when a signal came."""
        return self._here.fileno()

    def read(self) -> list[signal.Signals]:
        """The signals that came."""
        return [signal.Signals(number) for number in self._here.recv(4096)]

    def close(self) -> None:
        """Close the socket: in a process that was forked beside it, too."""
        self._here.close()
        self._there.close()

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        pass
