"""Drives steps and operations over real connections, sync and async."""

import asyncio
import os
import random
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

import redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.connection import AbstractConnection as AsyncConnection

from msgqueue.connection import Source
from msgqueue.errors import RedisError, RedisUnavailable
from msgqueue.store import operations
from msgqueue.store.failures import failure, failure_of, may_be_too_large, unsendable
from msgqueue.store.link import Link
from msgqueue.store.operations import Operation
from msgqueue.store.steps import Step

R = TypeVar("R")

#: Seconds for which a caller's step is sent again while Redis is away.
RETRY_FOR = 3.0


class Store:
    """Runs steps for synchronous callers; may be shared by threads and used after a fork."""

    def __init__(self, source: Source, retry_for: float = RETRY_FOR) -> None:
        self._source = source
        self._retry_for = retry_for
        self._links: deque[Link] = deque()
        self._process = os.getpid()

    def run(self, step: Step[R]) -> R:
        """Run a step. It is sent again while Redis is away: each is safe to repeat.

        Raises:
            RedisUnavailable: Redis stayed away; the step may or may not have been done.
            QueueFull, RedisRefused: it was not done.
        """
        for pause in pauses(self._retry_for):
            link = self._lease()
            try:
                answer = link.call(step)
            except RedisUnavailable:
                link.close()
                self.close()  # what the others reach is most often as gone: no try is left for each
                if pause is None:
                    raise
                time.sleep(pause)
            except BaseException:
                link.close()
                raise
            else:
                self._links.append(link)
                return answer
        raise AssertionError("pauses() ends with None")

    def drive(self, operation: Operation[R]) -> R:
        """Run an operation's steps to its end."""
        return operations.drive(operation, self.run)

    def close(self) -> None:
        """Close the connections that nobody uses right now."""
        with suppress(IndexError):  # another thread may take the last one
            while True:
                self._links.pop().close()

    def _lease(self) -> Link:
        if self._process != os.getpid():  # a fork: the parent's sockets are not ours
            self._links, self._process = deque(), os.getpid()
        try:
            return self._links.pop()
        except IndexError:
            return Link(self._source)


class AsyncStore:
    """Runs steps for asyncio callers on the event loop that runs; never blocks it."""

    def __init__(self, source: Source, retry_for: float = RETRY_FOR) -> None:
        self._source = source
        self._retry_for = retry_for

    async def run(self, step: Step[R]) -> R:
        """Run a step, as `Store.run` does."""
        client = self._source.async_client()
        for pause in pauses(self._retry_for):
            try:
                return step.decode(await call(client, step))
            except UnicodeEncodeError as error:
                raise unsendable(error, self._source.address) from error
            except (redis.RedisError, OSError) as error:
                failed = await self._failed(error, step)
                if pause is None or not isinstance(failed, RedisUnavailable):
                    raise failed from error
                await asyncio.sleep(pause)
        raise AssertionError("pauses() ends with None")

    async def drive(self, operation: Operation[R]) -> R:
        """Run an operation's steps to its end, as `operations.drive` does."""
        try:
            step = next(operation)
            while True:
                step = operation.send(await self.run(step))
        except StopIteration as end:
            value: R = end.value
            return value

    async def _failed(self, error: redis.RedisError | OSError, step: Step[Any]) -> RedisError:
        if may_be_too_large(step):  # then Redis is asked, which may take a while
            return await asyncio.to_thread(failure_of, error, step, self._source)
        return failure(error, self._source.address)


async def call(client: AsyncRedis, step: Step[Any]) -> Any:
    """Send a step once over a client's pool; a server without writes, maybe no primary, is left."""
    pool = client.connection_pool
    connection = await pool.get_connection()
    try:
        return await _ask(connection, step)
    except redis.ResponseError as error:
        if isinstance(failure(error, ""), RedisUnavailable):
            await connection.disconnect()
        raise
    finally:
        await pool.release(connection)


async def _ask(connection: AsyncConnection, step: Step[Any]) -> Any:
    rest = (len(step.keys), *step.keys, *step.args)
    try:
        await connection.send_command("EVALSHA", step.script.sha, *rest)
        return await connection.read_response()
    except redis.exceptions.NoScriptError:
        await connection.send_command("EVAL", step.script.text, *rest)
        return await connection.read_response()


def pauses(seconds: float) -> Iterator[float | None]:
    """Pauses between tries: none after the first, then longer ones with jitter; None at the end.

    A first failure is most often a connection that died while it was idle.
    """
    end = time.monotonic() + seconds
    yield 0.0
    pause = 0.02
    while time.monotonic() + pause < end:
        yield spread(pause)
        pause = min(pause * 2, 0.5)
    yield None


def spread(pause: float) -> float:
    """At random from half a pause to all of it, so that those who wait do not all come at once."""
    return random.uniform(0.5, 1.0) * pause  # noqa: S311 - nobody gains by foretelling it
