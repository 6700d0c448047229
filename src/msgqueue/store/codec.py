"""A job's hash and result stream, from and to msgqueue's types."""

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from pydantic_core import from_json

from msgqueue.errors import DamagedJob
from msgqueue.jobs import JobError, JobInfo, JobSpec, JobStatus, StoredResult

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # rq's `utcformat`

Kind = Literal["ok", "failed", "stopped", "retried"]
KINDS: Mapping[int, Kind] = {1: "ok", 2: "failed", 3: "stopped", 4: "retried", 5: "failed"}

MOST_DIGITS = 10  # of a count; Python refuses to read more than some thousand
LONGEST_TRACE = 1 << 20  # bytes of a failure's text; packed, it may claim a thousand times that

#: What a list shows of a job.
INFO_FIELDS = (
    "status",
    "origin",
    "description",
    "created_at",
    "enqueued_at",
    "started_at",
    "ended_at",
    "worker_name",
    "number_of_retries",
    "mq_retries",
    "mq_deaths",
    "mq_task",
    "mq_orphan_of",
    "meta",
)


def time_text(moment: datetime) -> str:
    """A moment as rq writes it; `strftime` costs four times as much."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def now_text() -> str:
    """This moment as rq writes it."""
    return unix_text(time.time())


def unix_text(seconds: float) -> str:
    """Unix seconds as rq writes a moment, to the microsecond below."""
    return moment_texts(seconds)[1]


def moment_texts(seconds: float) -> tuple[str, str]:
    """Unix seconds as rq writes a moment: in a result stream, and in a hash."""
    second = int(seconds)
    fraction = f"{int((seconds - second) * 1_000_000):06d}"
    return f"{second}.{fraction}", f"{_second_text(second)}.{fraction}Z"


@lru_cache(maxsize=8)
def _second_text(second: int) -> str:
    """The part that all moments of a second share; formatting it costs 3 µs."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_time(raw: bytes | None) -> datetime | None:
    """A moment from rq's text; None for none, or for text that is no time."""
    if not raw:
        return None
    try:
        return datetime.strptime(raw.decode(), TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def rare_fields(spec: JobSpec) -> list[str | bytes | int]:
    """What only some jobs have in their hash beside what `enqueue.lua` writes, flat."""
    fields: list[str | bytes | int] = []
    for name, value in (
        ("result_ttl", spec.result_ttl),
        ("failure_ttl", spec.failure_ttl),
        ("mq_max", spec.max_deliveries),
        ("meta", spec.meta),
    ):
        if value is not None:
            fields += (name, value)
    if spec.front:
        fields += ("enqueue_at_front", 1)
    if spec.retry is not None:
        fields += ("retries_left", spec.retry.max)
        if intervals := spec.retry.intervals():
            fields += ("retry_intervals", json.dumps(intervals))
    return fields


def unpack_call(data: bytes) -> bytes:
    """rq's serialized call from the hash field `data`, which rq compresses and msgqueue does not.

    Neither pickle nor JSON begins as zlib's output does.
    """
    try:
        return zlib.decompress(data) if data[:1] == b"\x78" else data
    except zlib.error:
        return data


def job_info(job_id: str, values: Sequence[bytes | None], error: JobError | None = None) -> JobInfo:
    """A job from the values of INFO_FIELDS.

    Raises:
        DamagedJob: the status is none that rq or msgqueue writes.
    """
    raw = dict(zip(INFO_FIELDS, values, strict=True))
    return JobInfo(
        id=job_id,
        task=text(raw["mq_task"]) or text(raw["description"]).partition("(")[0],
        queue=text(raw["origin"]),
        status=parse_status(job_id, raw["status"]),
        description=text(raw["description"]),
        created_at=parse_time(raw["created_at"]),
        enqueued_at=parse_time(raw["enqueued_at"]),
        started_at=parse_time(raw["started_at"]),
        ended_at=parse_time(raw["ended_at"]),
        worker=text(raw["worker_name"]) or None,
        attempt=runs_before(raw) + bool(raw["started_at"]),
        error=error or _orphaned(text(raw["mq_orphan_of"])),
        meta=parse_meta(raw["meta"]),
    )


def _orphaned(parent: str) -> JobError | None:
    if not parent:
        return None
    gone = f"job {parent}, for which this one waited, is gone and had not finished"
    return JobError("ParentGone", gone)


def parse_status(job_id: str, raw: bytes | None) -> JobStatus:
    """The status; rq 3's passing words count as the place in which a reader finds the job."""
    word = text(raw)
    if word in ("ready_to_enqueue", "rate_limited", "created"):
        return JobStatus.DEFERRED
    try:
        return JobStatus(word)
    except ValueError:
        raise DamagedJob(job_id, f"unknown status {word!r}") from None


def runs_before(raw: Mapping[str, bytes | None]) -> int:
    """How many runs of a job ended in a repeat or a death."""
    return sum(count(raw[name]) for name in ("number_of_retries", "mq_retries", "mq_deaths"))


def count(raw: bytes | None) -> int:
    """A count; 0 for what is none."""
    return int(raw) if raw and raw.isdigit() and len(raw) < MOST_DIGITS else 0


def text(raw: bytes | None) -> str:
    """Text for people; bytes that are no UTF-8 are shown escaped."""
    return raw.decode("utf-8", "backslashreplace") if raw else ""


def is_text(value: str) -> bool:
    """Whether this can be sent: half of a surrogate pair, or what Python reads of bytes, cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_meta(raw: bytes | None) -> dict[str, Any]:
    """A job's meta where it is a JSON object, else nothing: it is never unpickled."""
    if not raw or raw[:1] != b"{":
        return {}
    try:
        return dict(from_json(raw, allow_inf_nan=False))
    except ValueError:
        return {}


def pack_value(value: bytes) -> bytes:
    """A serialized return value as rq's result stream holds it; b"" stands for None."""
    return base64.b64encode(value)


def pack_traceback(trace: bytes) -> bytes:
    """A failure's text as rq's result stream holds it."""
    return base64.b64encode(zlib.compress(trace, 1))


def stored_result(entry: Sequence[bytes]) -> StoredResult:
    """The fields of a result stream's entry.

    Raises:
        ValueError: they are none that rq or msgqueue writes.
    """
    raw = dict(zip(entry[::2], entry[1::2], strict=True))
    trace = raw.get(b"exc_string", b"")
    try:
        return StoredResult(
            kind=KINDS[int(raw[b"type"])],
            value=base64.b64decode(raw.get(b"return_value", b"")),
            traceback=_unpack_trace(trace) if trace else "",
        )
    except (KeyError, zlib.error) as error:
        raise ValueError(f"no entry of a result stream: {error}") from error


def _unpack_trace(trace: bytes) -> str:
    unpacking = zlib.decompressobj()
    told = unpacking.decompress(base64.b64decode(trace), LONGEST_TRACE)
    if not (unpacking.eof or unpacking.unconsumed_tail):
        raise zlib.error("its end is missing")
    return text(told)


def error_of(traceback: str) -> JobError:
    """Type and message from the end of a traceback, as Python formats it."""
    lines = traceback.rstrip().splitlines()
    last_frame = max((n for n, line in enumerate(lines) if line.startswith('  File "')), default=-1)
    told = last_frame + 1
    while told < len(lines) - 1 and lines[told].startswith("    "):
        told += 1
    kind, _, message = "\n".join(lines[told:]).partition(": ")
    return JobError(kind, message)
