"""How a child sleeps until its supervisor wakes it, and says that it may be woken: both ends."""

import os
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

RING: Final = b"r"  # to the child: there may be work
SATED: Final = b"s"  # to the supervisor: idle, and something was found since the last ring
EMPTY: Final = b"e"  # idle, and nothing was found
LEAVING: Final = b"l"  # it begins nothing more and ends, so that another may take its place
HALF: Final = b"h"  # the main thread is busy, the async lane has room
ROUSED: Final = b"w"  # no longer idle: it has heard of work by itself
PLENTY: Final = b"p"  # the same, and it got as many jobs as it asked for: others may find some
LINGER: Final = 0.002  # seconds for which one that hears of work by itself does not say it is idle


class Doorbell:
    """The child's end. Its main thread sleeps here; where it has an async lane, that one listens.

    Args:
        fd: a socket to the supervisor.
        hung_up: called when the supervisor is gone.

    Attributes:
        listener: whether the async lane answers, and passes on what is for the main thread.
    """

    def __init__(self, fd: int, hung_up: Callable[[], None]) -> None:
        self._fd, self._hung_up = fd, hung_up
        self._inside, self._passed = os.pipe()
        os.set_blocking(self._passed, False)
        self._asleep = threading.Event()
        self._owed = self._roused = False
        self.listener = False

    @property
    def fds(self) -> tuple[int, int, int]:
        """All descriptors that it needs; the socket first."""
        return self._fd, self._inside, self._passed

    def fileno(self) -> int:
        """Readable when it rings."""
        return self._fd

    def rest(self, *, found: bool, quietly: bool = False, ears: Sequence[int] = ()) -> bool:
        """Say that all is done, and sleep until it rings; in the main thread.

        Whether it was woken by an ear.

        Args:
            found: whether anything was found since the last ring.
            quietly: the async lane claims anyhow; it is the one to say it later.
            ears: what else becomes readable when there may be work.
        """
        self._roused = False
        self._asleep.set()  # before the word is out: the answer may be quick
        if ears and not quietly and (heard := self._hears(ears, LINGER)) is not None:
            return heard != self._bell
        if quietly:
            self._owed = True
        else:
            self._say(SATED if found else EMPTY)
        self._roused = self._hears(ears) != self._bell
        return self._roused

    def wait(self) -> None:
        """Sleep until it rings, or the async lane passes something on."""
        self._hears(())

    def _hears(self, ears: Sequence[int], seconds: float | None = None) -> int | None:
        """Sleep until something is heard, and take the ring; what was heard, None for nothing."""
        self._asleep.set()
        poll = select.poll()
        for fd in (self._bell, *ears):
            poll.register(fd, select.POLLIN)
        heard = [fd for fd, _ in poll.poll(None if seconds is None else 1000 * seconds)]
        if not heard:
            return None
        self._asleep.clear()
        if self._bell not in heard:
            return heard[0]
        if self.listener:
            os.read(self._inside, 4096)
        else:
            self.answer()
        return self._bell

    @property
    def _bell(self) -> int:
        return self._inside if self.listener else self._fd

    def tell_roused(self) -> None:
        """Say that it heard of work by itself, if it has: called while it is being asked for."""
        if self._roused:
            self._roused = False
            self._say(ROUSED)

    def tell_plenty(self) -> None:
        """Say that there may be work for others."""
        self._say(PLENTY)

    def answer(self) -> bool:
        """Take the ring; False when the supervisor is gone."""
        try:
            rung = os.read(self._fd, 4096)
        except ConnectionError:
            rung = b""
        self._owed = True
        if not rung:
            self._hung_up()
        return bool(rung)

    def pass_on(self) -> bool:
        """Wake the main thread, or keep it from sleeping next; False where it is busy."""
        asleep = self._asleep.is_set()
        with suppress(BlockingIOError):  # there is enough to wake it
            os.write(self._passed, RING)
        return asleep

    def leave(self) -> None:
        """Say that this child begins nothing more."""
        self._say(LEAVING)

    def may_ring(self) -> bool:
        """Say that the async lane has room; False where the main thread sleeps, which says more."""
        busy = not self._asleep.is_set()
        if busy:
            self._say(HALF)
        else:
            self.speak_up()
        return busy

    def speak_up(self) -> None:
        """Say for the main thread that it is idle, where it sleeps and has not said so itself."""
        if self._owed and self._asleep.is_set():
            self._say(EMPTY)

    def _say(self, word: bytes) -> None:
        self._owed = False
        with suppress(OSError):  # a supervisor that is gone shows at the next read
            os.write(self._fd, word)


class Bell:
    """The supervisor's end.

    Args:
        line: a socket to the child; once it is closed nothing rings.

    Attributes:
        idle: whether the child waits to be woken.
        half_idle: whether it runs a function, and could run coroutines beside it.
        plenty: whether it was roused and may have left work for others.
        deaf: whether it has lost its end.
        leaving: whether it said that it begins nothing more.
    """

    def __init__(self, line: Connection) -> None:
        self._line = line
        self.idle = self.half_idle = self.plenty = self.deaf = self.leaving = False

    def fileno(self) -> int:
        """Readable when the child says something."""
        return self._line.fileno()

    def ring(self) -> bool:
        """There may be work; False where the child has ended."""
        self.idle = self.half_idle = False
        try:
            os.write(self.fileno(), RING)
        except OSError:
            return False
        return True

    def hear(self) -> bool:
        """The child said something: whether that it is idle, and had found work since it rang."""
        try:
            said = os.read(self.fileno(), 4096)
        except ConnectionError:
            said = b""
        self.deaf = not said
        self.plenty = PLENTY in said
        if said.endswith((ROUSED, PLENTY)):
            self.idle = False
        elif said.endswith((SATED, EMPTY)):
            self.idle = True
        self.half_idle = said.endswith(HALF)
        self.leaving = self.leaving or LEAVING in said
        return SATED in said
