"""What a TaskQueue lends to its tasks and jobs: its connections, sync and async, and its rules."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from msgqueue.connection import Source
from msgqueue.errors import ConfigurationError, UnknownQueue
from msgqueue.serializers import Serializer
from msgqueue.store.async_waiting import AsyncWaiting, look
from msgqueue.store.messages import Standing
from msgqueue.store.run import AsyncStore, Store
from msgqueue.store.waiting import wait

logger = logging.getLogger(__name__)


class Runner:
    """Runs the steps of one TaskQueue: from any thread, and in any event loop.

    Args:
        connect: called once, at the first use, for where Redis is.
        queues: the queues of the TaskQueue, in order of priority.
        serializer: how calls and results are written.

    Raises:
        ConfigurationError: the queues are no sequence of names.
    """

    def __init__(
        self, connect: Callable[[], Source], queues: Sequence[str], serializer: Serializer
    ) -> None:
        self.queues, self.serializer = _checked(queues), serializer
        self._connect = connect
        self._connecting = threading.Lock()
        self._connected: _Connected | None = None
        self._told = False

    def narrowed(self, queue: str | None) -> tuple[str, ...]:
        """All queues, or the one that is named.

        Raises:
            UnknownQueue: it is none of ours.
        """
        if queue is None:
            return self.queues
        if queue not in self.queues:
            raise UnknownQueue(queue, self.queues)
        return (queue,)

    @property
    def source(self) -> Source:
        """Where Redis is."""
        return self._use().source

    @property
    def store(self) -> Store:
        """The store for synchronous code."""
        return self._use().store

    @property
    def async_store(self) -> AsyncStore:
        """The store for the running event loop."""
        return self._use().async_store

    def blocking(self, twin: str) -> Store:
        """The store for a synchronous call; inside an event loop it tells, once, what blocks less.

        Args:
            twin: the coroutine that does the same.
        """
        if not self._told and _in_event_loop():
            self._told = True
            logger.warning(
                "a synchronous call blocks the running event loop: await %s(...) instead", twin
            )
        return self._use().store

    def decode_plain(self, value: bytes) -> Any:
        """A result of a task that is not known here; b"" is None."""
        return self.serializer.loads(value) if value else None

    def wait(self, job_id: str, timeout: float | None, *, is_new: bool = False) -> Standing:
        """How the job ended, once it has; `is_new`: it was enqueued just now.

        Raises:
            TimeoutError: it has not within `timeout` seconds.
        """
        connected = self._use()
        return wait(connected.source, connected.store, job_id, timeout, is_new=is_new)

    async def wait_async(self, job_id: str, timeout: float | None) -> Standing:
        """Like `wait`, over one connection for all who wait in this event loop."""
        connected = self._use()
        if timeout is not None and timeout <= 0:
            return await look(connected.async_store, job_id)
        waiting = connected.waiting_here()
        timer = asyncio.timeout(timeout)
        try:
            async with timer:
                return await waiting.outcome(job_id)
        except TimeoutError:
            if not timer.expired():
                raise
            raise TimeoutError(f"job {job_id} has not ended within {timeout} s") from None

    def close(self) -> None:
        """Close the synchronous connections; the next use opens new ones."""
        if self._connected is not None:
            self._connected.store.close()
            self._connected.source.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop and the synchronous ones."""
        if self._connected is not None:
            waiting = self._connected.waiting.pop(asyncio.get_running_loop(), None)
            if waiting is not None:
                await waiting.aclose()
            self._connected.store.close()
            await self._connected.source.aclose()

    @contextmanager
    def diverted(self, source: Source) -> Iterator[None]:
        """Speak to another Redis for a while: for tests."""
        before, self._connected = self._connected, _Connected(source)
        try:
            yield
        finally:
            self.close()
            self._connected = before

    def _use(self) -> "_Connected":
        if self._connected is None:
            with self._connecting:
                if self._connected is None:
                    self._connected = _Connected(self._connect())
        return self._connected


class _Connected:
    """A source, and what was made from it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.store, self.async_store = Store(source), AsyncStore(source)
        self.waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncWaiting]
        self.waiting = WeakKeyDictionary()

    def waiting_here(self) -> AsyncWaiting:
        """What waits in the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self.waiting:
            self.waiting[loop] = AsyncWaiting(self.source, self.async_store)
        return self.waiting[loop]


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _checked(queues: Sequence[str]) -> tuple[str, ...]:
    names = (queues,) if isinstance(queues, str) else tuple(queues)
    if isinstance(queues, str) or not names or len(set(names)) != len(names):
        raise ConfigurationError(f"queues={queues!r}: give different names, as ('high', 'default')")
    for name in names:
        if not name or not str(name).isprintable() or " " in name:
            raise ConfigurationError(f"no queue can be named {name!r}: use text without spaces")
    return names
