"""Durable background jobs and publish/subscribe on Redis."""

from msgqueue.errors import (
    ConfigurationError,
    DamagedJob,
    DuplicateTask,
    EmbeddedServerError,
    InvalidArguments,
    InvalidJob,
    InvalidOption,
    JobCancelled,
    JobConflict,
    JobFailed,
    JobNotFound,
    MsgqueueError,
    PayloadTooLarge,
    QueueFull,
    RedisError,
    RedisRefused,
    RedisUnavailable,
    ResultExpired,
    TaskNotImportable,
    UnknownQueue,
    UnknownTask,
    ValueTooLarge,
)
from msgqueue.job import Job, current_job
from msgqueue.jobs import JobError, JobInfo, JobOptions, JobSpec, JobStatus, Page, Retry
from msgqueue.queue import TaskQueue
from msgqueue.settings import Settings
from msgqueue.tasks import AsyncTask, Task
from msgqueue.worker.rq_worker import RqWorker
from msgqueue.worker.supervisor import Supervisor

__all__ = [
    "AsyncTask",
    "ConfigurationError",
    "DamagedJob",
    "DuplicateTask",
    "EmbeddedServerError",
    "InvalidArguments",
    "InvalidJob",
    "InvalidOption",
    "Job",
    "JobCancelled",
    "JobConflict",
    "JobError",
    "JobFailed",
    "JobInfo",
    "JobNotFound",
    "JobOptions",
    "JobSpec",
    "JobStatus",
    "MsgqueueError",
    "Page",
    "PayloadTooLarge",
    "QueueFull",
    "RedisError",
    "RedisRefused",
    "RedisUnavailable",
    "ResultExpired",
    "Retry",
    "RqWorker",
    "Settings",
    "Supervisor",
    "Task",
    "TaskNotImportable",
    "TaskQueue",
    "UnknownQueue",
    "UnknownTask",
    "ValueTooLarge",
    "current_job",
]

__version__ = "0.1.0"
