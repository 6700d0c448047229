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
# descriptor 4 for as long as it lives. The shell becomes the server; the subshell waits
# for the owner: a line means that the server has ended and its pid may be somebody else's,
# end of file means that the owner has died.
_SHIM = """
exec 3<&0 4>&1 </dev/null >&2
server=$$
( exec 4>&-; read -r _ <&3 || kill -TERM "$server" ) &
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
    """A server that lives no longer than the process that started it.

    Args:
        executable: of Redis or Valkey.
        home: its folder.
        lock: the descriptor of the folder's lock; the server inherits it.
    """

    def __init__(self, executable: str, home: Home, lock: int) -> None:
        self._log = home.log
        self._said_before = home.log.stat().st_size if home.log.exists() else 0
        watched, self._life = os.pipe()  # neither is inherited over an exec
        try:
            with home.log.open("ab") as log:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _SHIM, "msgqueue-server", *_command(executable, home)],
                    stdin=watched,
                    stdout=lock,
                    stderr=log,
                    cwd=home.path,
                    env={},  # none of our secrets
                    start_new_session=True,  # Ctrl-C reaches the workers, which drain first
                )
        except BaseException:
            os.close(self._life)
            raise
        finally:
            os.close(watched)

    @property
    def pid(self) -> int:
        """The server's own pid."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether it is gone; then the watcher is dismissed."""
        if self._process.poll() is None:
            return False
        self._dismiss()
        return True

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._dismiss()

    def last_words(self) -> str:
        """The last lines that it logged since its start."""
        with self._log.open("rb") as log:
            log.seek(self._said_before)
            return b"\n".join(log.read().splitlines()[-8:]).decode(errors="replace")

    def forget(self) -> None:
        """Let go of it in a forked child: it belongs to the parent."""
        self._process.returncode = 0  # not ours to wait for
        self._close()

    def _dismiss(self) -> None:
        if self._life >= 0:
            try:
                os.write(self._life, b"ended\n")
            except BrokenPipeError:
                pass
            self._close()

    def _close(self) -> None:
        life, self._life = self._life, -1
        if life >= 0:
            os.close(life)


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
        "loglevel": "notice",
    }
    return [executable, *(word for name, value in options.items() for word in (f"--{name}", value))]
