"""Waiting for the end of jobs in an event loop: one blocking read for all who wait there."""

import asyncio
import time
from typing import Any

import redis
import redis.asyncio

from msgqueue.connection import Source
from msgqueue.errors import DamagedJob, MsgqueueError
from msgqueue.store import keys, steps
from msgqueue.store.messages import Standing
from msgqueue.store.run import AsyncStore
from msgqueue.store.waiting import LOOK_AGAIN, PAUSE

LOOK_AT = 500  # jobs a step
UNBLOCK_EACH = 0.005  # seconds
MANY = 50  # jobs awaited, from which on news are collected for
PAUSE_EACH = 1e-5  # seconds a job


async def look(store: AsyncStore, job_id: str) -> Standing:
    """How a job ended, if it has.

    Raises:
        TimeoutError: it has not.
        DamagedJob: its status cannot be read.
    """
    (standing,) = await store.run(steps.standings((job_id,)))
    if isinstance(standing, DamagedJob):
        raise standing
    if not standing.ended:
        raise TimeoutError(f"job {job_id} has not ended within 0 s")
    return standing


class AsyncWaiting:
    """All waiting of one event loop: one task, one connection, however many wait.

    Args:
        source: where the connection comes from.
        store: what looks at the jobs.
    """

    def __init__(self, source: Source, store: AsyncStore) -> None:
        self._source, self._store = source, store
        self._waiters: dict[str, set[asyncio.Future[Standing]]] = {}
        self._seen: dict[str, str] = {}  # the newest entry seen in each job's stream
        self._due: set[str] = set()  # to be looked at next
        self._reader: asyncio.Task[None] | None = None
        self._unblocker: asyncio.Task[None] | None = None
        self._blocked: int | None = None  # the id of the connection that is in a blocking read
        self._spare: _Connection | None = None
        self._block_for = LOOK_AGAIN

    async def outcome(self, job_id: str) -> Standing:
        """How a job ended, once it has.

        Raises:
            DamagedJob: its status cannot be read.
            RedisUnavailable, RedisRefused: Redis could not be asked.
        """
        future: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(job_id, set()).add(future)
        self._join(job_id)
        try:
            return await future
        finally:
            self._leave(job_id, future)

    async def aclose(self) -> None:
        """End the waiting; whoever still waits is cancelled."""
        for futures in self._waiters.values():
            for future in futures:
                future.cancel()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        if self._spare is not None:
            await self._spare.aclose()
            self._spare = None

    def _join(self, job_id: str) -> None:
        self._due.add(job_id)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="msgqueue waiting")
        elif self._blocked is not None and (self._unblocker is None or self._unblocker.done()):
            self._unblocker = asyncio.create_task(self._unblock(), name="msgqueue unblock")

    def _leave(self, job_id: str, future: asyncio.Future[Standing]) -> None:
        waiters = self._waiters.get(job_id, set())
        waiters.discard(future)
        if not waiters:
            self._forget(job_id)
        if not self._waiters and self._blocked is not None and self._reader is not None:
            self._reader.cancel()  # it is blocked for nobody
            self._reader = self._blocked = None

    def _forget(self, job_id: str) -> None:
        self._waiters.pop(job_id, None)
        self._seen.pop(job_id, None)
        self._due.discard(job_id)

    async def _read(self) -> None:
        """Look at what is due, then block until something happens, while somebody waits."""
        connection, self._spare = self._spare or _Connection(self._source), None
        try:
            await self._read_over(connection)
        except MsgqueueError as error:
            for job_id in tuple(self._waiters):
                self._tell(job_id, error)
        except BaseException:
            await connection.aclose()
            raise
        self._spare = connection

    async def _read_over(self, connection: "_Connection") -> None:
        look_again = 0.0
        while self._waiters:
            if time.monotonic() >= look_again:
                self._due |= self._waiters.keys()
                look_again = time.monotonic() + LOOK_AGAIN
            await self._look()
            if self._due or not self._waiters:
                continue
            try:
                await self._block(connection)
            except (redis.RedisError, OSError):
                await connection.aclose()
                await asyncio.sleep(PAUSE)
                look_again = 0.0  # the look says what is the matter

    async def _look(self) -> None:
        due, self._due = tuple(self._due), set()
        for first in range(0, len(due), LOOK_AT):
            part = due[first : first + LOOK_AT]
            answers = await self._store.run(steps.standings(part))
            for job_id, standing in zip(part, answers, strict=True):
                if isinstance(standing, DamagedJob) or standing.ended:
                    self._tell(job_id, standing)
                elif job_id in self._waiters:
                    self._seen[job_id] = standing.last

    def _tell(self, job_id: str, ending: Standing | MsgqueueError) -> None:
        for future in self._waiters.get(job_id, ()):
            if future.done():
                continue
            if isinstance(ending, Standing):
                future.set_result(ending)
            else:
                future.set_exception(ending)
        self._forget(job_id)

    async def _block(self, connection: "_Connection") -> None:
        """Until an awaited stream has news, somebody joins, or it is time to look at all."""
        number = await connection.number()
        if self._due:
            return
        ids = {keys.results(job_id).encode(): job_id for job_id in self._seen}
        streams = {key: self._seen[job_id] for key, job_id in ids.items()}
        self._blocked = number
        try:
            news = await connection.read(streams, self._block_for)
        finally:
            if self._blocked == number:
                self._blocked = None
        if news and len(ids) > MANY:  # so that a thousand are not asked for one by one
            await asyncio.sleep(len(ids) * PAUSE_EACH)
        self._due.update(ids[stream] for stream in news)

    async def _unblock(self) -> None:
        """Wake the reader, so that it takes in who has joined.

        Again until it has: the first may reach Redis before the read that it is to end.
        """
        while self._blocked is not None and self._due:
            try:
                await self._source.async_client().client_unblock(self._blocked)
            except redis.ResponseError:  # not allowed here: look more often instead
                self._block_for = PAUSE
                return
            except (redis.RedisError, OSError):
                return  # the reader meets it too
            await asyncio.sleep(UNBLOCK_EACH)


class _Connection:
    """A connection of its own, for blocking reads that another connection can end."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._connection: redis.asyncio.connection.AbstractConnection | None = None
        self._number = 0

    async def number(self) -> int:
        """The connection's id on the server; connects it."""
        if self._connection is None:
            # Not a client: one that its event loop has outlived warns of it.
            self._connection = await self._source.async_client().connection_pool.get_connection()
            self._number = int(await self._ask("CLIENT", "ID"))
        return self._number

    async def read(self, streams: dict[bytes, str], seconds: float) -> list[bytes]:
        """The streams that have an entry behind the given one, once one has, or none in time."""
        milliseconds = int(seconds * 1000)
        answer = await self._ask(
            "XREAD", "BLOCK", milliseconds, "STREAMS", *streams, *streams.values()
        )
        return [one if isinstance(one, bytes) else one[0] for one in answer or ()]

    async def aclose(self) -> None:
        """Drop the connection; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect()
            await self._source.async_client().connection_pool.release(connection)

    async def _ask(self, *words: Any) -> Any:
        if self._connection is None:
            raise redis.ConnectionError("the connection was closed")
        await self._connection.send_command(*words)
        return await self._connection.read_response()
