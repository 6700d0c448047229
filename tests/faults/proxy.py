"""A network between clients and one Redis that loses, delays, cuts and doubles what they say.

It acts on whole requests and replies, and knows which of our scripts a request runs.
"""

import asyncio
import random
import socket
import struct
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import redis
from tests.faults.resp import Splitter, asked, is_push

RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing says "connection reset"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Fault(StrEnum):
    """What becomes of one request, and of the connection that it came over."""

    REQUEST_LOST = "request lost"  # Redis never has it; the client's connection is reset
    REQUEST_CUT = "request cut"  # Redis has half of it; both connections are reset
    REPLY_LOST = "reply lost"  # Redis has done it; the client's connection is reset
    REPLY_CUT = "reply cut"  # Redis has done it; the client has half of its answer
    LATE = "late"  # Redis has done it; the answer takes its time
    HALTED = "halted"  # the same, in the middle of the answer
    COPIED = "copied"  # Redis has it once more, later and over another connection
    SILENT = "silent"  # the connection stands, and nothing comes through it from here on


CUTS: Final = (Fault.REQUEST_LOST, Fault.REQUEST_CUT, Fault.REPLY_LOST, Fault.REPLY_CUT)


@dataclass(frozen=True)
class Rule:
    """Which requests meet a fault.

    Attributes:
        share: of the requests, by chance.
        steps: their scripts or commands; empty for all.
        seconds: how late, at most, a reply is, or a copy.
        spared: how many go well before the first.
        most: how many meet it.
    """

    fault: Fault
    share: float = 1.0
    steps: frozenset[str] = frozenset()
    seconds: float = 0.0
    spared: int = 0
    most: int = sys.maxsize


@dataclass(frozen=True, slots=True)
class Met:
    """The fault that one request meets; none for most."""

    fault: Fault | None = None
    seconds: float = 0.0


class Lost(Exception):
    """This connection ends here."""


class Proxy:
    """Passes on what clients and a Redis say, by rules that a test may change at any moment.

    Args:
        url: where Redis is.
        choice: makes every choice.
        tell: called with each fault that was met.

    Attributes:
        met: how often each fault was met.
    """

    def __init__(
        self, url: str, choice: random.Random, tell: Callable[[str], None] = lambda _fault: None
    ) -> None:
        self.met: Counter[Fault] = Counter()
        self._goes_to = redis.ConnectionPool.from_url(url).connection_kwargs
        self._choice, self._tell = choice, tell
        self._rules: list[Rule] = []
        self._seen: Counter[Rule] = Counter()
        self._lines: set[Line] = set()
        self._copies: set[asyncio.Task[None]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._lit = asyncio.Event()
        self._lit.set()
        serving = asyncio.start_server(self._serve, sock=self._listener)
        self._server = self._loop.run_until_complete(serving)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    @property
    def environment(self) -> dict[str, str]:
        """What has a worker connect here."""
        return {"MSGQUEUE_REDIS_URL": self.url}

    @property
    def busy(self) -> bool:
        """Whether copies are still under way."""
        return bool(self._copies)

    def be(self, *rules: Rule) -> None:
        """From here on these hold; the first that a request meets decides about it."""
        self._seen.clear()
        self._rules = list(rules)

    def fall_silent(self) -> None:
        """All connections that stand, stand on, and nothing comes through them any more."""
        for line in self._lines.copy():
            line.silent = True

    def go_dark(self) -> None:
        """Nothing comes through until it is healed, over old connections or over new ones.

        What was said meanwhile comes through then, as TCP has it, be it to one that has given up.
        """
        self._loop.call_soon_threadsafe(self._lit.clear)

    def heal(self) -> None:
        """From here on all goes well."""
        self.be()
        self._loop.call_soon_threadsafe(self._lit.set)

    def close(self) -> None:
        """End all connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In its own thread

    def meets(self, name: str) -> Met:
        """What a request meets."""
        for rule in self._rules:
            if rule.steps and name not in rule.steps:
                continue
            if rule.share < 1.0 and self._choice.random() >= rule.share:
                continue
            self._seen[rule] += 1
            if rule.spared < self._seen[rule] <= rule.spared + rule.most:
                self._note(rule.fault)
                return Met(rule.fault, self._choice.uniform(rule.seconds / 2, rule.seconds))
        return Met()

    def copy(self, request: bytes, seconds: float) -> None:
        """Send a request once more, after so long."""
        task = self._loop.create_task(self._send_copy(request, seconds))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    def _note(self, fault: Fault) -> None:
        self.met[fault] += 1
        self._tell(fault)

    async def light(self) -> None:
        """Wait for the end of the dark."""
        await self._lit.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _end(self) -> None:
        self._server.close()
        await asyncio.sleep(0.01)  # until all that was accepted is served
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # until the transports have let go

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError, OSError):  # asyncio's streams log them
            try:
                line = Line(self, (reader, writer), await self._connect())
                self._lines.add(line)
                await line.live()
                self._lines.discard(line)
            finally:
                _reset(writer)

    async def _connect(self) -> Ends:
        if "path" in self._goes_to:
            return await asyncio.open_unix_connection(self._goes_to["path"])
        return await asyncio.open_connection(self._goes_to["host"], self._goes_to["port"])

    async def _send_copy(self, request: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        reader, writer = await self._connect()
        try:
            writer.write(request)
            replies = Splitter()
            while data := await reader.read(1 << 16):
                if any(True for _ in replies.feed(data)):
                    return
        finally:
            writer.close()


class Line:
    """One client's connection and the one to Redis that belongs to it.

    Attributes:
        silent: whether nothing comes through.
    """

    def __init__(self, proxy: Proxy, client: Ends, server: Ends) -> None:
        self._proxy = proxy
        (self._from_client, self._to_client), (self._from_server, self._to_server) = client, server
        self._open: deque[Met] = deque()  # of the requests that are not answered
        self.silent = False

    async def live(self) -> None:
        """Pass on until one of both ends, or a fault does."""
        both = [
            asyncio.ensure_future(self._pass(self._from_client, self._request)),
            asyncio.ensure_future(self._pass(self._from_server, self._reply)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            _reset(self._to_server)

    async def _pass(
        self, reader: asyncio.StreamReader, act: Callable[[bytes], Coroutine[None, None, None]]
    ) -> None:
        messages = Splitter()
        while data := await reader.read(1 << 16):
            for message in messages.feed(data):
                await act(message)

    async def _request(self, request: bytes) -> None:
        await self._proxy.light()
        if self.silent:
            return
        name = asked(request)
        met = self._proxy.meets(name)
        match met.fault:
            case Fault.REQUEST_LOST:
                raise Lost
            case Fault.REQUEST_CUT:
                await _send(self._to_server, request[: len(request) // 2])
                raise Lost
            case Fault.SILENT:
                self.silent = True
                return
            case Fault.COPIED:
                self._proxy.copy(request, met.seconds)
        if not name.endswith("subscribe"):  # they are answered by pushes
            self._open.append(met)
        await _send(self._to_server, request)

    async def _reply(self, reply: bytes) -> None:
        await self._proxy.light()
        if self.silent:
            return
        met = self._open.popleft() if self._open and not is_push(reply) else Met()
        half = len(reply) // 2
        match met.fault:
            case Fault.REPLY_LOST:
                raise Lost
            case Fault.REPLY_CUT:
                await _send(self._to_client, reply[:half])
                raise Lost
            case Fault.LATE:
                await asyncio.sleep(met.seconds)
            case Fault.HALTED:
                await _send(self._to_client, reply[:half])
                await asyncio.sleep(met.seconds)
                reply = reply[half:]
        await _send(self._to_client, reply)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock.family != socket.AF_UNIX:
        with suppress(OSError):  # it is closed
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
