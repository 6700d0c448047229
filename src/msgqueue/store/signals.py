"""What a supervisor hears from Redis: that a queue has work, and rq's commands to its workers.

Waiting pops nothing and writes nothing: Redis tracks the queues' keys for one connection and tells
another one, once, that any of them changed (`CLIENT TRACKING ON REDIRECT`).
"""

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

import redis
from pydantic_core import from_json
from redis.connection import AbstractConnection

from msgqueue.connection import Source
from msgqueue.store import keys

INVALIDATED: Final = b"__redis__:invalidate"
TIMEOUT: Final = 0.5  # seconds for connecting, and for each answer to it

ANSWER_WITHIN: Final = 3.0  # seconds; then a connection is given up
PING_EVERY: Final = 10.0  # seconds between two looks whether the one that is told still lives

Kind = Literal["work", "changed", "stop", "kill", "shutdown"]
COMMANDS: Final[dict[str, Kind]] = {
    "stop-job": "stop",
    "stop-execution": "stop",
    "kill-horse": "kill",
    "shutdown": "shutdown",
}

logger = logging.getLogger(__name__)


class Signal(NamedTuple):
    """One thing heard.

    Attributes:
        kind: `work`: a queue is not empty; `changed`: a queue was changed, most often by a push;
            `stop`, `kill`, `shutdown`: rq's stop-job, kill-horse and shutdown commands.
        worker: to whom the command goes.
        job_id: which job to stop.
        execution: which of its executions; "" for any.
    """

    kind: Kind
    worker: str = ""
    job_id: str = ""
    execution: str = ""


class Wakeup:
    """A pair of connections: one is armed, the other is told. Only `connect` waits.

    Attributes:
        tracking: whether Redis tells of changes; where it cannot, `arm` has to be called often.
    """

    def __init__(self, source: Source, queues: Sequence[str]) -> None:
        self._source = source
        self._queues = [keys.queue(name) for name in queues]
        self._workers: set[str] = set()
        self._told: AbstractConnection | None = None
        self._armed: AbstractConnection | None = None
        self._asked = self._pinged = 0.0  # since when an answer is awaited; 0 for none
        self._ping_at = 0.0
        self.tracking = True

    @property
    def connected(self) -> bool:
        """Whether both connections stand."""
        return self._armed is not None

    def connect(self) -> bool:
        """Connect again after a loss; False while Redis is away."""
        self.close()
        try:
            self._told = self._connection()
            client_id = _ask(self._told, "CLIENT", "ID")
            channels = [INVALIDATED, *map(keys.commands, self._workers)]
            self._told.send_command("SUBSCRIBE", *channels)
            self._armed = self._connection()
            self._track(self._armed, client_id)
        except (redis.RedisError, OSError):
            self.close()
            return False
        return True

    def _connection(self) -> AbstractConnection:
        return self._source.connection(timeout=TIMEOUT, connect_timeout=TIMEOUT)

    def _track(self, connection: AbstractConnection, client_id: int) -> None:
        try:
            _ask(connection, "CLIENT", "TRACKING", "ON", "REDIRECT", client_id)
        except redis.ResponseError as error:
            self.tracking = False
            logger.warning("this server tracks no keys (%s): its queues are polled", error)

    def filenos(self) -> list[int]:
        """What to wait for."""
        return [_fileno(one) for one in (self._told, self._armed) if one is not None]

    def listen(self, worker: str) -> None:
        """Hear the commands to this worker, too."""
        self._workers.add(worker)
        self._send("SUBSCRIBE", keys.commands(worker))

    def unlisten(self, worker: str) -> None:
        """The worker has ended."""
        self._workers.discard(worker)
        self._send("UNSUBSCRIBE", keys.commands(worker))

    def arm(self) -> None:
        """Ask for the next change of any queue; `work` is heard if one is not empty right now.

        A connection that died without a word, as one does whose line was cut, shows here.
        """
        now = time.monotonic()
        if any(since and now > since + ANSWER_WITHIN for since in (self._asked, self._pinged)):
            self.close()
        if self._told is not None and now >= self._ping_at:
            self._ping_at, self._pinged = now + PING_EVERY, self._pinged or now
            self._send("PING")
        if self._armed is None or self._asked:
            return
        try:
            self._armed.send_command("EXISTS", *self._queues)
            self._asked = now
        except (redis.RedisError, OSError):
            self.close()

    def read(self) -> list[Signal]:
        """What has come. After a loss nothing comes until `connect`."""
        try:
            return [*self._read_armed(), *self._read_told()]
        except (redis.RedisError, OSError):
            self.close()
            return []

    def close(self) -> None:
        """Drop both connections."""
        for connection in (self._told, self._armed):
            if connection is not None:
                connection.disconnect()
        self._told = self._armed = None
        self._asked = self._pinged = 0.0

    def _send(self, *command: str) -> None:
        if self._told is None:
            return
        try:
            self._told.send_command(*command)
        except (redis.RedisError, OSError):
            self.close()

    def _read_armed(self) -> Iterable[Signal]:
        connection = self._armed
        if connection is not None and connection.can_read(0):
            count = connection.read_response()
            self._asked = 0.0
            if count:
                yield Signal("work")

    def _read_told(self) -> Iterable[Signal]:
        while self._told is not None and self._told.can_read(0):
            signal = _signal(self._told.read_response())
            self._pinged = 0.0  # whatever came, the line is whole
            if signal:
                yield signal


class Ear:
    """One connection that asks whether the queues have work, and that hears when that changes.

    What it hears need not be read: `ask` reads past it.
    """

    def __init__(self, source: Source, queues: Sequence[str]) -> None:
        self._source = source
        self._queues = [keys.queue(name) for name in queues]
        self._connection: AbstractConnection | None = None
        self._deaf = False

    def ask(self) -> bool:
        """Whether a queue is not empty right now; the next change of any is heard.

        Where Redis cannot be asked, or tells of no changes, nothing is heard.
        """
        if self._deaf:
            return False
        try:
            connection = self._connected()
            waiting = _ask(connection, "EXISTS", *self._queues)
            # News that came with the answer are read already: no socket tells of them.
            return bool(waiting or connection.can_read(0))
        except (redis.RedisError, OSError) as error:
            self._deaf = isinstance(error, redis.ResponseError)
            self.close()
            return False

    def filenos(self) -> list[int]:
        """What becomes readable when a queue changes, or the connection is lost."""
        return [] if self._connection is None else [_fileno(self._connection)]

    def close(self) -> None:
        """Drop the connection; `ask` opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _connected(self) -> AbstractConnection:
        if self._connection is None:
            self._connection = self._source.connection(timeout=TIMEOUT, protocol=3)
            _ask(self._connection, "CLIENT", "TRACKING", "ON")
        return self._connection


def _signal(message: Any) -> Signal | None:
    if not isinstance(message, list) or message[0] != b"message":
        return None
    _, channel, data = message
    if channel == INVALIDATED:
        return Signal("changed")
    worker = channel.decode().removeprefix(keys.commands(""))
    try:
        command = from_json(data)  # whatever is nested too deep or no text is a ValueError
        named = (str(command.get(name, "")) for name in ("job_id", "execution_id"))
        return Signal(COMMANDS[command["command"]], worker, *named)
    except (ValueError, KeyError, TypeError):
        logger.warning("worker %s was sent a command that is not known", worker)
        return None


def _ask(connection: AbstractConnection, *command: str | int) -> Any:
    connection.send_command(*command)
    while isinstance(answer := connection.read_response(), list):
        pass  # hiredis before 3.2 does not tell news from an answer
    return answer


def _fileno(connection: AbstractConnection) -> int:
    socket: Any = connection._sock  # noqa: SLF001 - redis-py has no public name for it
    return -1 if socket is None else int(socket.fileno())
