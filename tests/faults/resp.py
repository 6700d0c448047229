"""Redis' protocol, as far as a network needs it: where a message ends, and what a request asks."""

from collections.abc import Iterator
from typing import Final

from msgqueue.store.script import FOLDER, script

BULKS, LISTS, MAPS, ATTRIBUTE = b"$=!", b"*~>", b"%", b"|"

SCRIPTS: Final = {
    text: name
    for name in (entry.name[:-4] for entry in FOLDER.iterdir() if entry.name.endswith(".lua"))
    for text in (script(name).sha, script(name).text)
}


def end_of(data: bytes | bytearray, at: int = 0) -> int | None:
    """Where the message that begins at `at` ends; None where the rest of it is still to come."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    kind, told, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind in BULKS:
        at += max(int(told) + 2, 0) if int(told) >= 0 else 0
        return at if at <= len(data) else None
    for _ in range(_parts(kind, told)):
        after = end_of(data, at)
        if after is None:
            return None
        at = after
    return at


def _parts(kind: bytes | bytearray, told: bytes | bytearray) -> int:
    if kind in LISTS:
        return int(told)
    if kind in MAPS:
        return 2 * int(told)
    return 2 * int(told) + 1 if kind == ATTRIBUTE else 0  # it stands before what it tells of


class Splitter:
    """Puts what comes over a connection together to whole messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are whole with this."""
        self._rest += data
        while (end := end_of(self._rest)) is not None:
            message = bytes(self._rest[:end])
            del self._rest[:end]
            yield message


def asked(request: bytes) -> str:
    """What a request asks: the name of our script, else the command."""
    command, *more = words(request, 2)
    name = command.decode().lower()
    return SCRIPTS.get(more[0], name) if name in ("evalsha", "eval") else name


def is_push(reply: bytes) -> bool:
    """Whether it answers no request."""
    return reply.startswith(b">")


def words(request: bytes, most: int) -> Iterator[bytes]:
    """The first words of a request."""
    head = request.index(b"\r\n")
    at = head + 2
    for _ in range(min(int(request[1:head]), most)):
        end = request.index(b"\r\n", at)
        size = int(request[at + 1 : end])
        yield request[end + 2 : end + 2 + size]
        at = end + size + 4
