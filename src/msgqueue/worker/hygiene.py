"""Has every job find the process as it was: what one changes is put back, or the process ends.

Python itself tells of a new directory, environment or resource limit, by an audit hook. The rest
is compared: after each job what costs next to nothing, now and then all of it.
"""

import _locale
import _thread
import locale
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

LONG: Final = 0.0005  # seconds; after a job of that length it is worth while to look closely
UNCLEAN: Final = 86  # exit code of a process that ended since it could not be cleaned
OWN_THREADS: Final = "async lane"  # how the names of our own threads begin
ENVIRONMENT: Final = frozenset(("os.putenv", "os.unsetenv"))
LIMITS: Final = frozenset(("resource.setrlimit", "resource.prlimit"))
HEARD: Final = ENVIRONMENT | LIMITS | {"os.chdir"}
SIGNALS: Final = tuple(
    int(number)
    for number in (
        signal.SIGALRM,
        signal.SIGCHLD,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGIO,
        signal.SIGPIPE,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
    )
)
# What the standard library wraps: its wrappers take as long as the calls.
handler_of: Final = import_module("_signal").getsignal
locale_of: Final = _locale.setlocale
NUMBERS_AND_TIMES: Final = locale.LC_NUMERIC, locale.LC_TIME


class Unclean(Exception):
    """What a job has left behind cannot be put back; says what it is.

    Attributes:
        broken: whether this process has lost descriptors of ours, so that it must end at once.
    """

    def __init__(self, left: str, *, broken: bool = False) -> None:
        self.broken = broken
        super().__init__(left)


class Hygiene:
    """How this process was before its first job. Made in the main thread, once a process.

    Args:
        fds: descriptors of ours; the first one stands for all, after each job.
        restart_timer: sets the timer of time limits anew, after a job took its signal.
    """

    def __init__(self, fds: Collection[int], restart_timer: Callable[[], None]) -> None:
        self._canary, self._restart_timer = next(iter(fds)), restart_timer
        self._fds = (0, 1, 2, *fds)
        self._directory, self._environment = _directory(), dict(os.environ)
        self._umask = os.umask(0o22)
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._threads = set(threading.enumerate())
        self._handlers = _handlers()
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._locale = locale.setlocale(locale.LC_ALL)
        self._files = self._identities()
        self._told: set[str] = set()
        self._variables: set[Any] = set()
        self._clean = self._seen()
        self._forked = False
        os.register_at_fork(after_in_child=self._note_fork)
        sys.addaudithook(self._hear)

    def look(self, *, closely: bool = False) -> bool:
        """Put back what has changed: whether anything had. Signals in the main thread only.

        Args:
            closely: whether to look also for what it costs 10 µs to see.

        Raises:
            Unclean: no job may begin here any more.
        """
        changed = bool(self._told) or self._seen() != self._clean
        if changed:
            self._put_back()
        return changed | (closely and self._look_closely())

    def end_fork(self) -> None:
        """End this process if a job has forked it: it must not go on as if it were a worker."""
        if self._forked:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            os._exit(0)

    def _seen(self) -> tuple[Any, ...]:
        """What can be seen in 1.5 µs. The umask is put back by the way: that is how it is read."""
        try:
            os.get_inheritable(self._canary)
        except OSError:
            raise Unclean("it closed file descriptors", broken=True) from None
        return (
            os.umask(self._umask),
            sys.stdin,
            sys.stdout,
            sys.stderr,
            _thread._count(),  # noqa: SLF001 - a tenth of active_count()'s 0.3 µs
            *map(locale_of, NUMBERS_AND_TIMES),
            *map(handler_of, SIGNALS),
        )

    def _look_closely(self) -> bool:
        if any(getattr(stream, "closed", False) for stream in self._streams):
            raise Unclean("it closed a standard stream")
        files = self._identities()
        if files != self._files:
            broken = files[3:] != self._files[3:]
            raise Unclean("it closed or replaced file descriptors", broken=broken)
        changed = signal.pthread_sigmask(signal.SIG_SETMASK, self._mask) != self._mask
        changed |= locale_of(locale.LC_ALL) != self._locale
        locale_of(locale.LC_ALL, self._locale)
        return changed

    def _identities(self) -> list[tuple[int, int] | None]:
        return [_identity(fd) for fd in self._fds]

    def _put_back(self) -> None:
        told, self._told = self._told, set()
        if told & LIMITS:
            raise Unclean("it changed a limit of the process")
        self._look_for_threads()
        sys.stdin, sys.stdout, sys.stderr = self._streams
        self._put_handlers_back()
        locale.setlocale(locale.LC_ALL, self._locale)
        if "os.chdir" in told:
            self._put_directory_back()
        if told & ENVIRONMENT:
            self._put_environment_back()
        self._told = set()  # what was heard of this very work
        self._clean = self._seen()

    def _look_for_threads(self) -> None:
        """Daemons may stay: libraries start such once a process, and to serve further jobs."""
        threads = set(threading.enumerate())
        for thread in threads - self._threads:
            if not thread.daemon and not thread.name.startswith(OWN_THREADS):
                raise Unclean(f"it left the thread {thread.name!r} running")
        self._threads = threads

    def _put_handlers_back(self) -> None:
        if _handlers() == self._handlers or threading.current_thread().name != "MainThread":
            return
        for timer in (signal.ITIMER_PROF, signal.ITIMER_VIRTUAL):  # without a handler they kill
            signal.setitimer(timer, 0)
        for number, handler in zip(SIGNALS, self._handlers, strict=True):
            signal.signal(number, handler)
        self._restart_timer()

    def _put_directory_back(self) -> None:
        try:
            os.chdir(self._directory)
        except OSError as error:
            raise Unclean(f"it left a directory that nobody can enter again: {error}") from error

    def _put_environment_back(self) -> None:
        variables, self._variables = self._variables, set()
        for name in map(os.fsdecode, variables):
            os.environ.pop(name, None)
            os.unsetenv(name)  # where it was set past os.environ
            if name in self._environment:
                os.environ[name] = self._environment[name]
        self._variables.clear()

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in HEARD:
            if event in ENVIRONMENT:
                self._variables.add(args[0])
            self._told.add(event)

    def _note_fork(self) -> None:
        self._forked = True


def _handlers() -> tuple[Any, ...]:
    return tuple(map(handler_of, SIGNALS))


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        stat = os.fstat(fd)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return ""
