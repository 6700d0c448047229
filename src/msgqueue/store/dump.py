"""A job's first result as a stream that Redis restores from a dump.

XADD gives a new stream 4 KB of room, of which a result takes some 200 bytes, and shrinking it means
to dump it and to restore it: a third of what a job costs Redis. So the dump is written here. Its
layout is that of RDB files, which later servers go on reading; a server that takes none, and a job
that has results already, get XADD.
"""

from functools import lru_cache
from struct import Struct
from typing import Final

from anycrc import Model  # type: ignore[import-untyped]

SHORT: Final = 64  # bytes of a text from which its length takes two bytes
NEAR: Final = 128  # bytes of an element from which stepping back over it takes two
LARGEST: Final = 2048  # bytes of a value; for a larger one XADD's room is no waste

STREAM: Final = 15  # RDB's type of a stream in listpacks, without what Redis 7 added
RDB_VERSION: Final = 9
FIELDS: Final = (
    "type",
    "worker_name",
    "return_value",
    "execution_id",
    "execution_started_at",
    "execution_ended_at",
)

STREAM_ID = Struct(">QQ")  # milliseconds, number within them
LISTPACK = Struct("<IH")  # bytes in all, elements
LAST_ID = Struct(">BQB")  # a length of 64 bits follows; milliseconds; number
CHECKSUM = Struct("<Q")

_checksum = Model("CRC64-REDIS").calc
_BYTES: Final = [bytes((number,)) for number in range(256)]


def result_dump(
    ms: int, worker: str, value: bytes, execution: str, started: str, ended: str
) -> bytes:
    """The dump of a result stream with one entry, of a success.

    Args:
        ms: Unix milliseconds, the entry's id.
        worker: name of the worker.
        value: as the stream holds it, at most LARGEST bytes; b"" for none.
        execution: the run.
        started: text of its begin in Unix seconds.
        ended: text of its end.
    """
    listpack = b"".join(
        (
            _head(worker, bool(value)),
            _text(value) if value else b"",
            _text(execution.encode()),
            _text(started.encode()),
            _text(ended.encode()),
            _TAIL[bool(value)],
        )
    )
    elements = _ELEMENTS[bool(value)]
    size = LISTPACK.size + len(listpack)
    body = b"".join(
        (
            b"%c\x01\x10" % STREAM,  # one listpack, whose key takes 16 bytes
            STREAM_ID.pack(ms, 0),
            b"%c%c" % (0x40 | size >> 8, size & 0xFF),
            LISTPACK.pack(size, elements),
            listpack,
            b"\x01",  # one entry
            LAST_ID.pack(0x81, ms, 0),
            b"\x00%c\x00" % RDB_VERSION,  # no consumer groups
        )
    )
    return body + CHECKSUM.pack(_checksum(body))


def _text(text: bytes) -> bytes:
    """A listpack's element: its length, itself, and what it takes, for reading backwards."""
    size = len(text)
    if size < SHORT:
        return _BYTES[0x80 | size] + text + _BYTES[size + 1]
    head = b"%c%c" % (0xE0 | size >> 8, size & 0xFF)
    if (taken := size + 2) < NEAR:
        return head + text + _BYTES[taken]
    return head + text + b"%c%c" % (taken >> 7, 0x80 | taken & 0x7F)


def _number(number: int) -> bytes:
    """A listpack's element of a number below 128."""
    return _BYTES[number] + b"\x01"


@lru_cache(maxsize=16)
def _head(worker: str, valued: bool) -> bytes:
    """The listpack's master entry, and its entry up to the worker's name."""
    names = [name for name in FIELDS if valued or name != "return_value"]
    return b"".join(
        (
            *(_number(1), _number(0), _number(len(names))),  # entries, deleted ones, fields
            *(_text(name.encode()) for name in names),
            _number(0),
            *(_number(2), _number(0), _number(0)),  # the master's fields, its very id
            _number(1),  # type: a success
            _text(worker.encode()),
        )
    )


#: What ends the entry: how many elements it has, and the listpack's end.
_TAIL: Final = tuple(_number(len(FIELDS) + 2 + valued) + b"\xff" for valued in (0, 1))
_ELEMENTS: Final = tuple(2 * len(FIELDS) + 6 + 2 * valued for valued in (0, 1))
