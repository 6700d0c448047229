"""The embedded server's folder: whose it must be, its socket, the lock of a live server."""

import fcntl
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from msgqueue.errors import EmbeddedServerError

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's limit is 108 on Linux, 104 on macOS."""

LONGEST_LOG = 1 << 20
"""Bytes after which the next start begins a new one."""


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that is ours alone; everything in it is made by us or by the server."""

    path: Path

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "redis.log"

    @property
    def pidfile(self) -> Path:
        """Which process the server is."""
        return self.path / "redis.pid"

    @property
    def socket(self) -> Path:
        """Where the server listens: `redis.sock`, or where that leads if the path is long."""
        plain = self.path / "redis.sock"
        if len(os.fsencode(plain)) <= LONGEST_SOCKET_PATH:
            return plain
        try:
            return plain.readlink()
        except OSError:
            return self._elsewhere()

    @property
    def url(self) -> str:
        """The socket as redis-py writes it."""
        return f"unix://{quote(str(self.socket))}"

    def prepare(self) -> None:
        """Make the folder, or check that the one there is safe to use.

        Raises:
            EmbeddedServerError: it cannot be made, or is a link, another user's, open to others.
        """
        _make_private(self.path)
        _write_once(self.path / ".gitignore", "*\n")

    def place_socket(self) -> Path:
        """Where the server shall listen; called under the lock.

        A path too long for a socket becomes a link in the folder, so that all processes find the
        same place, whatever their environment says of temporary folders.
        """
        socket = self.socket
        if socket.parent != self.path:
            _make_private(socket.parent)
            link = self.path / "redis.sock"
            if not link.is_symlink():
                link.symlink_to(socket)
        return socket

    def try_lock(self) -> int | None:
        """Take the lock that a live server holds; None while there is such a server."""
        lock = self.path / "redis.lock"
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            return descriptor if _try_flock(descriptor) else None
        except OSError as error:
            raise EmbeddedServerError(
                f"the lock {lock} cannot be taken: {error.strerror}."
                " Set MSGQUEUE_HOME to a folder on a local disk that you may write"
            ) from error

    def rotate_log(self) -> None:
        """Begin a new log where the old one is long; one old one is kept."""
        try:
            if self.log.stat().st_size > LONGEST_LOG:
                self.log.replace(self.path / "redis.log.1")
        except OSError:
            pass  # there is none yet, or the server will tell what is wrong with it

    def server_pid(self) -> int | None:
        """The pid that the last server wrote down; it may be gone."""
        try:
            return int(self.pidfile.read_text())
        except (OSError, ValueError):
            return None

    def _elsewhere(self) -> Path:
        name = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:16]
        socket = Path(tempfile.gettempdir()) / f"msgqueue-{os.geteuid()}" / f"{name}.sock"
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            raise EmbeddedServerError(
                f"no socket can be made for {self.path}: its path and that of {socket.parent}"
                f" are both longer than {LONGEST_SOCKET_PATH} bytes."
                " Set MSGQUEUE_HOME to a folder with a shorter path"
            )
        return socket


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:
        os.close(descriptor)
        raise
    return True


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise EmbeddedServerError(
            f"the folder {path} cannot be made: {error.strerror}."
            " Set MSGQUEUE_HOME to a folder that you may write"
        ) from error
    problem = _unsafe(path, found)
    if problem:
        raise EmbeddedServerError(f"the embedded server does not use the folder {path}: {problem}")


def _unsafe(path: Path, found: os.stat_result) -> str | None:
    if stat.S_ISLNK(found.st_mode):
        return f"it is a symbolic link. Set MSGQUEUE_HOME to the folder itself, {path.resolve()}"
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a folder. Remove it, or set MSGQUEUE_HOME to another"
    if found.st_uid != os.geteuid():
        return f"it belongs to user {found.st_uid}. Set MSGQUEUE_HOME to a folder of your own"
    if stat.S_IMODE(found.st_mode) & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        return f"its mode {mode:04o} lets other users in. If its content is yours: chmod 700 {path}"
    return None


def _write_once(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        pass
    except OSError as error:
        raise EmbeddedServerError(
            f"{path} cannot be written: {error.strerror}."
            " Set MSGQUEUE_HOME to a folder that you may write"
        ) from error
