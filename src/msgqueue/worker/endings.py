"""How a run ended, in the bytes of its report: a value, a wish to run again, or a traceback."""

import asyncio
import base64
import traceback
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgqueue.jobs import Kind
from msgqueue.tasks import Task

TRACEBACK_ROOM: Final = 65_536  # characters; longer ones lose their middle
OWN_FILES: Final = (str(Path(__file__).parent), asyncio.timeouts.__file__)


class Ending(NamedTuple):
    """How a run ended; the two fields of an Outcome that the run decides."""

    kind: Kind
    value: bytes


def success(task: Task[Any, Any], value: Any) -> Ending:
    """The ending of a run that returned; an rq `Retry` asks for another run."""
    if value is None:
        return Ending("ok" if task.keep_none else "none", b"")
    if type(value).__name__ == "Retry" and hasattr(value, "max"):
        return Ending("retry", retry_text(value))
    return Ending("ok", task.encode_result(value))


def retry_text(retry: Any, returned: bytes = b"") -> bytes:
    """`<max>:<interval>,<interval>,...:<front>:<returned>` of an rq or msgqueue Retry.

    Args:
        retry: what the task returned.
        returned: the same, serialized, where its result is to hold it.
    """
    intervals = retry.intervals() if callable(retry.intervals) else retry.intervals
    front = int(bool(getattr(retry, "enqueue_at_front", False)))
    wish = f"{retry.max}:{','.join(map(str, intervals or (0,)))}:{front}:"
    return wish.encode() + base64.b64encode(returned)


def failure(error: BaseException) -> Ending:
    """The ending of a run that raised: the traceback's text, from the user's first frame on."""
    return Ending("error", traceback_text(error).encode("utf-8", "backslashreplace"))


def traceback_text(error: BaseException) -> str:
    """A traceback as Python prints it, without our own frames at its beginning."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except Exception as broken:  # noqa: BLE001 - the exception's own code failed
        text = f"{type(error).__qualname__}: <its text cannot be formatted: {broken!r}>\n"
    if len(text) > TRACEBACK_ROOM:
        half = TRACEBACK_ROOM // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    return text


def _is_ours(file: str) -> bool:
    return file.startswith(OWN_FILES)
