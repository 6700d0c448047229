"""Errors as RFC 9457 `application/problem+json`, for our routes and no others.

`ProblemRoute` is given to our routers as `route_class`, so a host app keeps its own exception
handlers and its own errors.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException as StarletteHTTPException

from msgqueue.errors import (
    ConfigurationError,
    DamagedJob,
    InvalidArguments,
    InvalidJob,
    InvalidOption,
    JobConflict,
    JobNotFound,
    MsgqueueError,
    PayloadTooLarge,
    QueueFull,
    RedisError,
    RedisRefused,
    RedisUnavailable,
    UnknownQueue,
    UnknownTask,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2  # seconds; about how long a restart of Redis takes

logger = logging.getLogger(__name__)


class ProblemBody(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:msgqueue:problem:unknown-task",
                    "title": "Unknown task",
                    "status": 422,
                    "detail": "no task 'ad' is registered. Did you mean 'add'?",
                    "task": "ad",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str


class Problem(HTTPException):
    """An answer that is an error, told as RFC 9457 says.

    Args:
        status: the HTTP status.
        kind: what stands behind `urn:msgqueue:problem:`; clients branch on it, so it stays.
        detail: what happened, with which value, and what to do.
        headers: further headers of the answer.
        facts: further members of the body, such as `job_id` or `errors`.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind, self.facts = kind, facts

    def response(self) -> JSONResponse:
        """The answer itself."""
        body = {
            "type": f"urn:msgqueue:problem:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status_code,
            "detail": self.detail,
            **self.facts,
        }
        return JSONResponse(body, self.status_code, self.headers, MEDIA_TYPE)


class ProblemRoute(APIRoute):
    """A route whose errors, its dependencies' included, are answered as problems."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """FastAPI's handler inside ours."""
        handle = super().get_route_handler()

        async def handle_with_problems(request: Request) -> Response:
            try:
                return await handle(request)
            except (StarletteHTTPException, RequestValidationError, MsgqueueError) as error:
                return problem_of(error).response()

        return handle_with_problems


def problem_of(error: StarletteHTTPException | RequestValidationError | MsgqueueError) -> Problem:
    """What to answer for an error that a route met."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return invalid_request(error.errors())
    if isinstance(error, StarletteHTTPException):
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return Problem(error.status_code, kind, str(error.detail), error.headers)
    if isinstance(error, RedisError):
        return _of_redis(error)
    return _of_job(error)


def invalid_request(errors: Sequence[Any]) -> Problem:
    """A body, query or path that our schema refuses; every error names its place."""
    told = [{"pointer": _pointer(each["loc"]), "detail": each["msg"]} for each in errors]
    said = "; ".join(f"{each['pointer']}: {each['detail']}" for each in told)
    return Problem(422, "invalid-request", said, errors=told)


def _pointer(loc: Sequence[str | int]) -> str:
    """RFC 6901, starting with the part of the request: /body/retry/max, /query/limit."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)


def _of_redis(error: RedisError) -> Problem:
    wait = {"Retry-After": str(RETRY_AFTER)}
    match error:
        case RedisUnavailable():
            return Problem(503, "redis-unavailable", str(error), wait, tried=error.address)
        case QueueFull():
            return Problem(503, "queue-full", str(error), wait, tried=error.address)
        case RedisRefused():
            return Problem(502, "redis-refused", str(error), tried=error.address)
    return Problem(503, "redis-unavailable", str(error), wait)


def _of_job(error: MsgqueueError) -> Problem:
    told = str(error)
    match error:
        case InvalidJob():
            return _of_invalid(error)
        case JobNotFound():
            return Problem(404, "unknown-job", told, job_id=error.job_id)
        case JobConflict():
            return Problem(409, "job-conflict", told, job_id=error.job_id, job_status=error.status)
        case DamagedJob():
            return Problem(409, "damaged-job", told, job_id=error.job_id)
        case ConfigurationError():
            kind = "unknown-queue" if isinstance(error, UnknownQueue) else "not-possible-here"
            return Problem(422, kind, told)
    logger.error("unforeseen error in a request", exc_info=error)
    return Problem(500, "internal-error", "The server's log tells more.")


def _of_invalid(error: InvalidJob) -> Problem:
    match error:
        case UnknownTask():
            return Problem(422, "unknown-task", _without_cure(error), task=error.name)
        case InvalidArguments():
            told = list(_argument_errors(error))
            return Problem(422, "invalid-arguments", str(error), task=error.task, errors=told)
        case InvalidOption():
            told = [{"pointer": f"/body/{error.option}", "detail": error.cure}]
            return Problem(422, "invalid-option", str(error), errors=told)
        case PayloadTooLarge():
            return Problem(413, "payload-too-large", str(error), limit=error.limit)
    return Problem(422, "invalid-job", str(error))


def _argument_errors(error: InvalidArguments) -> Iterator[dict[str, str]]:
    for problem in error.problems:
        yield {"pointer": _pointer(tuple(problem["loc"])), "detail": str(problem["msg"])}


def _without_cure(error: UnknownTask) -> str:
    """The message up to what only the app's author can do: callers cannot decorate a function."""
    return str(error).split(" Decorate the function", 1)[0]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems."""
    content = {MEDIA_TYPE: {"schema": _problem_schema()}}
    return {each: {"description": HTTPStatus(each).phrase, "content": content} for each in statuses}


@cache
def _problem_schema() -> dict[str, Any]:
    return ProblemBody.model_json_schema()
