"""One server process: started, tied to our life by a pipe, stopped."""

import os
import socket
import subprocess
from enum import Enum
from pathlib import Path

from msgqueue.embedded.home import Home

STOP_WITHIN = 10.0
"""Seconds from SIGTERM until SIGKILL."""
PROBE_TIMEOUT = 1.0

# $0 is the name, the arguments are the server's command line. Standard input is a pipe whose
# other end only the owner holds; standard output is the lock, which the server keeps open as
# descriptor 4 for as long as it lives. The shell becomes the server; the subshell waits for
# the owner: a line means that the server has ended and that its pid may be another's by now,
# end of file means that the owner has died. SIGKILL is for a server that hangs, or that was
# started from a thread with SIGTERM blocked.
_SHIM = """
exec 3<&0 4>&1 </dev/null >&2
server=$$
(
  exec 4>&-
  read -r _ <&3 && exit
  kill -TERM "$server"
  tries=100
  while kill -0 "$server" && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
  [ $tries -gt 0 ] || kill -KILL "$server"
) 2>/dev/null &
exec 3<&-
exec "$@"
"""


class State(Enum):
    """What answers on a socket."""

    ABSENT = "nobody listens"
    BUSY = "it is alive and does not answer yet"
    READY = "it answers"


def probe(path: Path) -> State:
    """Send one PING."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PROBE_TIMEOUT)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
        except TimeoutError:
            return State.BUSY
        except OSError:
            return State.ABSENT
    if answer.startswith(b"+PONG"):
        return State.READY
    return State.BUSY if answer else State.ABSENT


class ServerProcess:
    """A server that lives no longer than the process that started it. Not yet started at first.

    Args:
        executable: of Redis or Valkey.
        home: its folder.
    """

    def __init__(self, executable: str, home: Home) -> None:
        self._command = _command(executable, home)
        self._home = home
        self._said_before = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watched, self._life = os.pipe()  # neither is inherited over an exec

    def start(self, lock: int) -> None:
        """Start it, and leave the folder's lock to it."""
        self._home.rotate_log()
        self._said_before = self._home.log.stat().st_size if self._home.log.exists() else 0
        with self._home.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _SHIM, "msgqueue-server", *self._command],
                stdin=self._watched,
                stdout=lock,
                stderr=log,
                cwd=self._home.path,
                env={},  # none of our secrets
                start_new_session=True,  # Ctrl-C reaches the workers, which drain first
            )
        self._watched = _closed(self._watched)

    @property
    def pid(self) -> int | None:
        """The server's own pid."""
        return self._process.pid if self._process else None

    def ended(self) -> bool:
        """Whether it is gone; then its watcher is dismissed."""
        if self._process is None or self._process.poll() is None:
            return False
        self._dismiss()
        return True

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._dismiss()

    def last_words(self) -> str:
        """The last lines that it logged since its start."""
        with self._home.log.open("rb") as log:
            log.seek(self._said_before)
            return b"\n".join(log.read().splitlines()[-8:]).decode(errors="replace")

    def forget(self) -> None:
        """Let go of it in a forked child: it belongs to the parent."""
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for
        self._close()

    def _dismiss(self) -> None:
        if self._life >= 0:
            try:
                os.write(self._life, b"ended\n")
            except BrokenPipeError:
                pass  # somebody has killed the watcher
            self._close()

    def _close(self) -> None:
        self._watched, self._life = _closed(self._watched), _closed(self._life)


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1


def _command(executable: str, home: Home) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(home.place_socket()),
        "unixsocketperm": "700",
        "dir": str(home.path),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-use-rdb-preamble": "no",  # else servers of other kinds and versions cannot load it
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "pidfile": str(home.pidfile),
        "logfile": str(home.log),
        "loglevel": "warning",  # notices, such as each rewrite of its file, would fill the disk
    }
    return [executable, *(word for name, value in options.items() for word in (f"--{name}", value))]
