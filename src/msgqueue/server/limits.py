"""What a request may bring: JSON only, 1 MiB, not nested without end, ids and pages in bounds."""

from typing import Annotated, Any

from fastapi import Path, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from msgqueue.jobs import JobStatus
from msgqueue.server.problems import Problem

MAX_BODY = 1024 * 1024  # bytes
MAX_DEPTH = 200  # what pydantic's parser takes; its own limit, so that nothing recurses deeper
MAX_PAGE = 200
MAX_LEGACY_PAGE = 1000

JOB_ID = r"^[A-Za-z0-9_\-]{1,128}$"
JobId = Annotated[
    str,
    Path(
        pattern=JOB_ID,
        description="The id that enqueueing answered.",
        examples=["3f0f9a4ee3f04b0d9a3a"],
    ),
]


class ListQuery(BaseModel):
    """Which page of jobs."""

    model_config = ConfigDict(extra="forbid")

    status: JobStatus = JobStatus.QUEUED
    queue: str | None = Field(default=None, max_length=256, description="Only this queue's jobs.")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="How many jobs the page holds.")
    cursor: str | None = Field(
        default=None,
        max_length=512,
        description="`next_cursor` of the page before; none for the first.",
    )


async def read_object(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object, or the problem with it.

    Read here rather than by FastAPI, so that the caller's key is looked at before the body, and
    an endless body is refused while it streams.
    """
    _require_json(request)
    body = _parsed(await _body_within(request, MAX_BODY))
    if not isinstance(body, dict):
        told = f"The body must be a JSON object, not {_JSON_NAMES.get(type(body), 'a number')}."
        raise Problem(422, "not-an-object", told)
    return body


_JSON_NAMES = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}


def _require_json(request: Request) -> None:
    sent = request.headers.get("content-type", "")
    kind = sent.partition(";")[0].strip().lower()
    if kind != "application/json":
        told = f"The body must be sent as Content-Type: application/json, not {sent or 'none'!r}."
        raise Problem(415, "not-json", told)


async def _body_within(request: Request, limit: int) -> bytes:
    told = f"The body is over {limit:,} bytes. Store the data elsewhere and pass a reference to it."
    too_large = Problem(413, "body-too-large", told, {"Connection": "close"}, limit=limit)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            told = f"The body is nested more than {MAX_DEPTH} deep."
            raise Problem(400, "nested-too-deep", told, limit=MAX_DEPTH) from error
        raise Problem(400, "invalid-json", f"The body is no JSON: {error}.") from error
