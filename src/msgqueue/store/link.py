"""A connection of its own, over which one caller sends one step at a time."""

from typing import Any, TypeVar

import redis
from hiredis import pack_command
from redis.connection import AbstractConnection

from msgqueue.connection import Source
from msgqueue.errors import RedisError, RedisUnavailable, ValueTooLarge
from msgqueue.store.failures import failure_of, unsendable
from msgqueue.store.steps import Step

R = TypeVar("R")

#: Seconds that connecting may take where nobody must stand still for long.
BRISK = 0.5


class Link:
    """Connects at its first step, and again after a loss.

    Args:
        source: where the connection comes from.
        brisk: for a caller that must not stand still while Redis hangs: give up soon where it
            connects, and send each script's text, so that `receive` never has to send by itself.
    """

    def __init__(self, source: Source, *, brisk: bool = False) -> None:
        self._source, self._brisk = source, brisk
        self._connection: AbstractConnection | None = None

    def call(self, step: Step[R]) -> R:
        """Send a step once and read its answer.

        Raises:
            RedisUnavailable: it may or may not have been done: call again with the same step.
            QueueFull, RedisRefused: it was not done.
        """
        self.send(step)
        if step.meanwhile is not None:
            step.meanwhile()
        return self.receive(step)

    def send(self, step: Step[Any]) -> None:
        """Send a step without waiting for its answer."""
        if self._brisk:
            self._command("EVAL", step.script.text, step)
        else:
            self._command("EVALSHA", step.script.sha, step)

    def receive(self, step: Step[R]) -> R:
        """Read the answer to the step that was sent last."""
        try:
            try:
                raw = self._read()
            except redis.exceptions.NoScriptError:
                self._command("EVAL", step.script.text, step)
                raw = self._read()
        except (redis.RedisError, OSError) as error:
            raise self._failed(error, step) from error
        return step.decode(raw)

    def fileno(self) -> int | None:
        """What becomes readable when an answer comes; None while there is no connection."""
        socket = getattr(self._connection, "_sock", None)
        return socket.fileno() if socket is not None else None

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _command(self, command: str, script: bytes, step: Step[Any]) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            # What redis-py's packer does, without its look at each argument.
            words: tuple[Any, ...] = (command, script, len(step.keys), *step.keys, *step.args)
            packed = pack_command(words)
            self._connection.send_packed_command([packed], check_health=False)
        except (redis.RedisError, OSError) as error:
            raise self._failed(error, step) from error
        except UnicodeEncodeError as error:
            raise unsendable(error, self._source.address) from error

    def _connect(self) -> AbstractConnection:
        if self._brisk:
            return self._source.connection(timeout=BRISK, connect_timeout=BRISK)
        return self._source.connection()

    def _read(self) -> Any:
        if self._connection is None:
            raise redis.ConnectionError("the connection was closed")
        return self._connection.read_response()

    def _failed(self, error: redis.RedisError | OSError, step: Step[Any]) -> RedisError:
        failed = failure_of(error, step, self._source)
        left = isinstance(failed, RedisUnavailable | ValueTooLarge)
        if left or not isinstance(error, redis.ResponseError):
            self.close()  # an answer may be under way; a server without writes may be no primary
        return failed
