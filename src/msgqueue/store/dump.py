"""A job's first result as a stream that Redis restores from a dump.

XADD gives a new stream 4 KB of room, of which a result takes some 200 bytes, and shrinking it means
to dump it and to restore it: a third of what a job costs Redis. So the dump is written here. Its
layout is that of RDB files, which later servers go on reading; a server that takes none, and a job
that has results already, get XADD.
"""

from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from anycrc import Model  # type: ignore[import-untyped] # it ships no types

LARGEST: Final = 2048  # bytes of a value; for a larger one XADD's room is no waste
LONGEST_NAME: Final = 1_000  # characters of a worker's name; of a longer one no dump is written
SHORT: Final = 64  # bytes of a text from which its length takes two bytes
NEAR: Final = 128  # bytes of an element from which stepping back over it takes two

STREAM: Final = 15  # RDB's type of a stream in listpacks, without what Redis 7 added
RDB_VERSION: Final = 9
NAMES: Final = ("type", "worker_name", "execution_id", "execution_started_at", "execution_ended_at")

NODE = Struct(">BBBQQBB")  # type, listpacks, length of a key; its id; the listpack's length
LISTPACK = Struct("<IH")  # bytes in all, elements
LAST = Struct(">BBQBBBB")  # entries; a length of 64 bits follows; the last id; no groups; version
CHECKSUM = Struct("<Q")

_checksum = Model("CRC64-REDIS").calc
_bytes: Final = [bytes((number,)) for number in range(256)]


def result_dump(
    ms: int, worker: str, value: bytes, execution: str, started: bytes, ended: bytes
) -> bytes:
    """The dump of a result stream with one entry, of a success; b"" for a worker of a long name.

    Args:
        ms: Unix milliseconds, the entry's id.
        worker: name of the worker.
        value: as the stream holds it, at most LARGEST bytes; b"" for none.
        execution: the run.
        started: text of its begin in Unix seconds.
        ended: text of its end.
    """
    if len(worker) > LONGEST_NAME:
        return b""
    frame = _frame(worker, execution, bool(value))
    times = _text(started) + _text(ended)
    entry = times + _text(value) if value else times
    size = frame.room + len(entry)
    body = b"".join(
        (
            NODE.pack(STREAM, 1, 16, ms, 0, 0x40 | size >> 8, size & 0xFF),
            LISTPACK.pack(size, frame.elements),
            frame.head,
            entry,
            frame.tail,
            LAST.pack(1, 0x81, ms, 0, 0, RDB_VERSION, 0),
        )
    )
    return body + CHECKSUM.pack(_checksum(body))


class Frame(NamedTuple):
    """What the results of one execution's id have in common around their times and value."""

    head: bytes
    tail: bytes
    elements: int
    room: int  # bytes of the listpack without times and value


@lru_cache(maxsize=16)
def _frame(worker: str, execution: str, valued: bool) -> Frame:
    names = (*NAMES, "return_value") if valued else NAMES
    master = [_number(1), _number(0), _number(len(names))]  # entries, deleted ones, fields
    master += [_text(name.encode()) for name in names]
    entry = [_number(0), _number(2), _number(0), _number(0)]  # the master's fields, its very id
    entry += [_number(1), _text(worker.encode()), _text(execution.encode())]
    tail = _number(len(names) + 3) + b"\xff"
    elements = len(master) + len(entry) + len(names) - len(NAMES) + 3
    head = b"".join((*master, *entry))
    return Frame(head, tail, elements, LISTPACK.size + len(head) + len(tail))


def _text(text: bytes) -> bytes:
    """A listpack's element: its length, itself, and what it takes, for reading backwards."""
    size = len(text)
    if size < SHORT:
        return _bytes[0x80 | size] + text + _bytes[size + 1]
    head = b"%c%c" % (0xE0 | size >> 8, size & 0xFF)
    if (taken := size + 2) < NEAR:
        return head + text + _bytes[taken]
    return head + text + b"%c%c" % (taken >> 7, 0x80 | taken & 0x7F)


def _number(number: int) -> bytes:
    """A listpack's element of a number below 128."""
    return _bytes[number] + b"\x01"
