"""A way to a server on which some of those who use it can be cut off without a word."""

import asyncio
import threading
from contextlib import suppress

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Passes bytes on, until those who logged in under a name are cut off: neither side is told.

    Args:
        port: of the server.
        name: what they say when they log in.
    """

    def __init__(self, port: int, name: bytes) -> None:
        self._goes_to, self._name = port, name
        self._theirs: set[asyncio.StreamWriter] = set()  # ends of their connections
        self._cut = False
        self._loop = asyncio.new_event_loop()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = self._loop.run_until_complete(serving)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def cut_off(self) -> None:
        """From here on nothing comes through that is of them or for them."""
        self._cut = True

    def rejoin(self) -> None:
        """They may come again; what stood until here ends."""
        self._cut = False
        self._loop.call_soon_threadsafe(self._drop)

    def close(self) -> None:
        """End all connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In its own thread

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._goes_to)
            ends.append(to_server)
            there = asyncio.ensure_future(self._pass(reader, to_server, ends))
            back = asyncio.ensure_future(self._pass(from_server, writer, ends))
            try:
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        except (asyncio.CancelledError, OSError):
            pass  # asyncio's streams log them
        finally:
            self._theirs.difference_update(ends)
            for end in ends:
                end.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: list[asyncio.StreamWriter],
    ) -> None:
        while data := await reader.read(1 << 16):
            if self._name in data:
                self._theirs.update(ends)
            if self._cut and writer in self._theirs:
                continue
            writer.write(data)
            await writer.drain()

    def _drop(self) -> None:
        for end in self._theirs:
            end.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
