"""The bodies of the HTTP API, with an example each."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import to_json

from msgqueue.jobs import JobInfo, JobOptions, JobStatus, Retry
from msgqueue.server.limits import JOB_ID

LONGEST = 315_360_000  # seconds: ten years
_ID = "3f0f9a4ee3f04b0d9a3a1c2b7d5e6f80"
_TIMES = {
    "created_at": "2026-11-24T09:30:00Z",
    "enqueued_at": "2026-11-24T09:30:00Z",
    "started_at": "2026-11-24T09:30:01Z",
    "ended_at": "2026-11-24T09:30:04Z",
}
_JOB: Mapping[str, Any] = {
    "id": _ID,
    "task": "add",
    "queue": "default",
    "status": "finished",
    "description": "demo.add(2, 3)",
    **_TIMES,
    "due": None,
    "worker": "host.4711.0c1d2e3f4a5b",
    "attempt": 1,
    "meta": {},
    "error": None,
}


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="forbid")


def _example(example: Mapping[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [dict(example)]})


class RetryBody(_Model):
    """What happens when the task raises."""

    max: int = Field(ge=0, le=1000, description="Repeats after the first run.")
    backoff: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Seconds before the first repeat, doubled for each further one.",
    )


class EnqueueBody(_Model):
    """A job to enqueue."""

    model_config = _example({"task": "add", "args": [2, 3], "kwargs": {}, "timeout": 30})

    task: str = Field(max_length=256, description="The name of a registered task.")
    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    queue: str | None = Field(
        default=None, description="Default: the first queue of the TaskQueue."
    )
    job_id: str | None = Field(
        default=None,
        pattern=JOB_ID,
        description="Enqueueing an id that is alive is answered with the living job.",
    )
    delay: float | None = Field(
        default=None, ge=0, le=LONGEST, description="Seconds until it may start."
    )
    at: AwareDatetime | None = Field(
        default=None, description="When it may start, with a time zone; excludes `delay`."
    )
    timeout: float | None = Field(
        default=None, ge=-1, le=LONGEST, description="Seconds a run may take; -1 is no limit."
    )
    retry: RetryBody | None = None
    result_ttl: int | None = Field(
        default=None,
        ge=-1,
        le=LONGEST,
        description="Seconds the result is kept; 0 deletes the job at once, -1 keeps it for ever.",
    )
    failure_ttl: int | None = Field(
        default=None,
        ge=-1,
        le=LONGEST,
        description="Seconds a failed or cancelled job is kept, 60 at least; -1 keeps it for ever.",
    )
    unique: bool = Field(
        default=False,
        description="Whether a job of the same id that has ended is left as it is, too.",
    )
    front: bool = Field(default=False, description="Whether it goes to the front of its queue.")
    meta: dict[str, Any] | None = None
    description: str | None = Field(default=None, max_length=1000)

    def options(self) -> dict[str, Any]:
        """What was given of JobOptions."""
        names = {field.name for field in fields(JobOptions)} & self.model_fields_set
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.retry is not None:
            given["retry"] = Retry(max=self.retry.max, backoff=self.retry.backoff)
        return given


class JobReference(_Model):
    """A job and where it is."""

    model_config = _example({"id": _ID, "status": "queued"})

    id: str
    status: JobStatus


class ErrorBody(_Model):
    """How a job failed."""

    model_config = _example({"type": "ValueError", "message": "no such order: 7"})

    type: str
    message: str


class JobBody(_Model):
    """A job as lists show it."""

    model_config = _example(_JOB)

    id: str
    task: str = Field(
        description="The task's name; a job of plain rq shows its function's dotted path."
    )
    queue: str
    status: JobStatus
    description: str
    created_at: datetime | None
    enqueued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    due: datetime | None = Field(description="When a scheduled job becomes due.")
    worker: str | None
    attempt: int = Field(description="Which run this is or was; 0 before the first.")
    meta: dict[str, Any]
    error: ErrorBody | None = None

    @classmethod
    def of(cls, info: JobInfo) -> "JobBody":
        """The body of a job."""
        return cls.model_validate(info)

    @field_validator("meta", mode="before")
    @classmethod
    def _writable(cls, meta: Mapping[str, Any]) -> Mapping[str, Any]:
        """What somebody else stored may be nested deeper than an answer can be."""
        try:
            to_json(meta)
        except ValueError:
            return {}
        return meta


class JobDetail(JobBody):
    """A job with its result."""

    model_config = _example({**_JOB, "result": 5})

    result: Any = Field(
        default=None,
        description="What the task returned; null before the end, and where it is no longer kept.",
    )


class JobPage(_Model):
    """One page of jobs, newest first."""

    model_config = _example({"items": [dict(_JOB)], "next_cursor": None})

    items: list[JobBody]
    next_cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null at the end."
    )


class Received(_Model):
    """The answer to POST /app/tasks/receive."""

    model_config = _example({"job_id": _ID})

    job_id: str


class CancelBody(_Model):
    """The body of POST /app/tasks/cancel."""

    model_config = _example({"job_id": _ID})

    job_id: str = Field(pattern=JOB_ID)


class CallBody(_Model):
    """A body of POST /app/tasks/receive that names a task."""

    model_config = _example({"task": "add", "args": [2, 3], "kwargs": {}})

    task: str = Field(max_length=256)
    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    queue: str | None = None


class CancelledBody(_Model):
    """The answer to POST /app/tasks/cancel."""

    model_config = _example({"job_id": _ID, "status": "canceled"})

    job_id: str
    status: JobStatus


class ListedJob(_Model):
    """A job in the lists of the first contract."""

    model_config = _example(
        {"job_id": _ID, "task": "add", "status": "finished", **_TIMES, "result": 5}
    )

    job_id: str
    task: str
    status: JobStatus
    created_at: datetime | None
    enqueued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    result: Any = Field(default=None, description="What a finished job returned.")
    error: ErrorBody | None = Field(
        default=None, description="Why a job failed, was stopped, or was cancelled with its parent."
    )
