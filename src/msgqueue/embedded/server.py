"""Start the embedded server, or share the one that another process of this folder started."""

import atexit
import logging
import os
import time
from pathlib import Path

from msgqueue.embedded import binary
from msgqueue.embedded.home import Home
from msgqueue.embedded.process import ServerProcess, State, probe
from msgqueue.errors import EmbeddedServerError
from msgqueue.observe.logs import event
from msgqueue.settings import Settings

logger = logging.getLogger(__name__)

READY_WITHIN = 60.0
"""Seconds until it answers; reading back a large folder takes a while."""
PAUSE = 0.01


class EmbeddedServer:
    """The server of one folder: ours if we started it, else shared. Constructing it does no I/O.

    A live server holds the folder's lock, so there is at most one. It ends when the process that
    started it ends, however that happens; then any other that calls `ensure` becomes the owner
    of the next, with the same data. Nothing runs in the background: `Source` calls `ensure` again
    when it cannot connect.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = Home(settings.home.absolute())
        self._process: ServerProcess | None = None
        self._lock: int | None = None  # held only while a server starts
        self._hooked = self._starting = False

    @property
    def home(self) -> Path:
        """The folder with the data."""
        return self._home.path

    @property
    def url(self) -> str:
        """Where it listens, whether or not it runs."""
        return self._home.url

    @property
    def address(self) -> str:
        """The same, for people; there are no credentials."""
        return self._home.url

    @property
    def owned(self) -> bool:
        """Whether this process started the server that runs."""
        return self._process is not None and not self._process.ended()

    @property
    def pid(self) -> int | None:
        """The server's pid, whoever started it; None where it is not known."""
        return self._process.pid if self._process and self.owned else self._home.server_pid()

    def ensure(self) -> str:
        """Make sure that a server answers, and return its url.

        Raises:
            EmbeddedServerError: the folder is not safe, no server was found, or it does not start.
        """
        until = time.monotonic() + READY_WITHIN
        while (state := self._advance()) is not State.READY:
            if time.monotonic() > until:
                raise self._not_ready(state, f" after {READY_WITHIN:.0f} s")
            time.sleep(PAUSE)
        return self.url

    def attempt(self) -> str:
        """Like `ensure`, for who must not wait: start the server if need be, and come again.

        Raises:
            EmbeddedServerError: also where a server that starts does not answer yet.
        """
        state = self._advance()
        if state is not State.READY:
            raise self._not_ready(state, " yet")
        return self.url

    def stop(self) -> None:
        """Stop the server if this process started it, and wait until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        atexit.unregister(self.stop)

    def _advance(self) -> State:
        """One look at the server; where there is none, one is started."""
        self._home.prepare()
        state = probe(self._home.socket)
        if state is State.READY:
            self._tell_start()
        elif state is State.ABSENT:
            self._check_start()
            self._start_unless_locked()
        return state

    def _start_unless_locked(self) -> None:
        self._lock = self._home.try_lock()
        if self._lock is None:
            return
        try:
            if self._process is not None:
                self._process.stop()  # it is gone, else the lock were not ours
            executable = binary.find(self._settings.redis_server)
            self._end_with_us()
            self._process = ServerProcess(executable, self._home)
            self._process.start(self._lock)
            self._starting = True
        finally:
            os.close(self._lock)  # from here on the server alone holds it
            self._lock = None

    def _tell_start(self) -> None:
        if self._starting and self._process is not None:
            self._starting = False
            event(logger, "embedded server started", home=self.home, pid=self._process.pid)

    def _check_start(self) -> None:
        if self._starting and self._process is not None and self._process.ended():
            self._starting = False
            raise EmbeddedServerError(
                f"the server of {self.home} ended as it started. The end of {self._home.log}:\n"
                + self._process.last_words()
            )

    def _not_ready(self, state: State, when: str) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"the server of {self.home} (pid {self.pid or 'unknown'}) does not answer{when}:"
            f" {state.value}. See {self._home.log}; if it hangs, end that process"
        )

    def _end_with_us(self) -> None:
        if not self._hooked:
            self._hooked = True
            os.register_at_fork(after_in_child=self._leave)
        atexit.register(self.stop)

    def _leave(self) -> None:
        """A forked child holds neither the lock nor the pipe that keeps the server alive."""
        self._starting = False
        process, self._process = self._process, None
        if process is not None:
            process.forget()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def ensure(settings: Settings) -> EmbeddedServer:
    """Start or share the server of `settings.home`; see `EmbeddedServer.ensure`."""
    server = EmbeddedServer(settings)
    server.ensure()
    return server
