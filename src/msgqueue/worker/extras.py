"""Further processes that a supervisor minds beside its children, such as a web server."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from msgqueue.observe.logs import event
from msgqueue.worker.shared import Context, clock

STARTED: Final = 3.0  # seconds; an extra that ends sooner has not started
ENDS_WITHIN: Final = 10.0  # seconds from SIGTERM to SIGKILL

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Extra:
    """A further process: what it is called in logs, and what it runs."""

    name: str
    target: Callable[[], None]


class ExtraProcess:
    """An extra that runs. It gets SIGTERM when the children have ended."""

    def __init__(self, context: Context, extra: Extra, forget: Callable[[], None]) -> None:
        self.extra = extra
        self.born = clock()
        self._ending_at: float | None = None
        their_lifeline, self._lifeline = context.Pipe(duplex=False)
        forked = context.get_start_method() == "fork"
        forgetting = partial(_forget, forget, self._lifeline) if forked else _nothing
        args = (extra, their_lifeline, forgetting)
        self._process = context.Process(target=_run, args=args, name=extra.name)
        self._process.start()
        their_lifeline.close()
        event(logger, f"{extra.name} started", pid=self._process.pid)

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    @property
    def failed_to_start(self) -> bool:
        """Whether it ended so soon that another try is of no use."""
        return self.exit_code is not None and clock() < self.born + STARTED

    def end(self) -> None:
        """Ask it to end, and kill it when it does not."""
        now = clock()
        if self._ending_at is None:
            self._ending_at = now + ENDS_WITHIN
            self._process.terminate()
        elif now > self._ending_at:
            self._process.kill()

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.exit_code is None:
            self._process.kill()

    def close(self) -> None:
        """Close its pipe: in a process that was forked beside it."""
        self._lifeline.close()


class Extras:
    """All extras of a supervisor.

    Args:
        context: how they are started.
        extras: what they run.
        forget: closes, in an extra's process, what is the supervisor's.
    """

    def __init__(
        self, context: Context, extras: Sequence[Extra], forget: Callable[[], None]
    ) -> None:
        self._context, self._extras, self._forget = context, extras, forget
        self._running: list[ExtraProcess] = []

    def start(self) -> None:
        """Start them all."""
        self._running = [self._started(extra) for extra in self._extras]

    def mind(self, failed: Callable[[ExtraProcess], None]) -> None:
        """Start again what ended; `failed` is told of one that never started."""
        for at, extra in enumerate(self._running):
            if extra.exit_code is None:
                continue
            if extra.failed_to_start:
                failed(extra)
            else:
                self._running[at] = self._started(extra.extra)

    def end(self) -> bool:
        """Ask them to end; whether all have ended."""
        for extra in self._running:
            extra.end()
        return all(extra.exit_code is not None for extra in self._running)

    def kill(self) -> None:
        """End what still runs at once."""
        for extra in self._running:
            extra.kill()

    def close(self) -> None:
        """Close their pipes: in a process that was forked beside them."""
        for extra in self._running:
            extra.close()

    def _started(self, extra: Extra) -> ExtraProcess:
        return ExtraProcess(self._context, extra, self._forget)


def _forget(forget: Callable[[], None], lifeline: Connection) -> None:
    forget()
    lifeline.close()


def _nothing() -> None:
    """A spawned process has nothing of the supervisor's to close."""


def _run(extra: Extra, lifeline: Connection, forget: Callable[[], None]) -> None:
    signal.set_wakeup_fd(-1)
    for restored in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(restored, signal.SIG_DFL)
    os.setpgid(0, 0)  # Ctrl-C is the supervisor's to handle
    forget()
    threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()
    extra.target()


def _end_with(lifeline: Connection) -> None:
    """End this process when the supervisor has ended without ending it."""
    lifeline.poll(None)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(ENDS_WITHIN)
    os._exit(1)
