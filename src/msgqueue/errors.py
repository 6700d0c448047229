"""Every exception of msgqueue.

The tree, each leaf with when it is raised::

    MsgqueueError
    ├── ConfigurationError      a setting, url, option or app reference that cannot be used
    │   ├── UnknownQueue        a queue that this TaskQueue does not name
    │   ├── DuplicateTask       two tasks of one name
    │   └── TaskNotImportable   a function that no worker could import
    ├── InvalidJob              a job that is refused before anything is written
    │   ├── UnknownTask         no task of that name is registered
    │   ├── InvalidArguments    arguments that the task's signature or its types refuse
    │   ├── InvalidOption       an option out of range, or two that exclude each other
    │   └── PayloadTooLarge     encoded arguments over the limit
    ├── JobNotFound             no job of that id
    ├── JobFailed               the job ended with an error; carries type, message, traceback
    ├── JobCancelled            the job was cancelled, or stopped while it ran
    ├── ResultExpired           the job finished, its result is no longer kept
    ├── JobConflict             the job's state does not allow what was asked
    ├── DamagedJob              a job whose data in Redis cannot be read
    ├── EmbeddedServerError     the embedded server cannot be found, started or trusted
    └── RedisError
        ├── RedisUnavailable    Redis cannot be reached, or does not take writes for now
        ├── QueueFull           Redis is at its memory limit and refused the job
        └── RedisRefused        Redis answers, and refuses: wrong password, unknown command
            └── ValueTooLarge   a single value is larger than Redis takes

Waiting for a result that does not come in time raises the built-in `TimeoutError`,
as `concurrent.futures` does.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class MsgqueueError(Exception):
    """Base of every error that msgqueue raises on purpose."""


class ConfigurationError(MsgqueueError):
    """A setting, url, option or app reference cannot be used."""


class UnknownQueue(ConfigurationError):
    """A queue was named that this TaskQueue does not use."""

    def __init__(self, queue: str, known: Iterable[str]) -> None:
        self.queue, self.known = queue, tuple(known)
        super().__init__(
            f"no queue {queue!r} here: this TaskQueue uses {', '.join(self.known)}."
            f" Add it: TaskQueue(queues=({', '.join(map(repr, (*self.known, queue)))}))"
        )


class DuplicateTask(ConfigurationError):
    """Two tasks claim one name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        self.name, self.first, self.second = name, first, second
        super().__init__(
            f"two tasks are named {name!r}: {first} and {second}."
            ' Give one of them another name: @queue.task(name="...")'
        )


class TaskNotImportable(ConfigurationError):
    """A worker process could not import this function."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"a worker cannot import {path}: {reason}."
            " Define the task at the top level of a module that workers can import"
        )


class InvalidJob(MsgqueueError):
    """A job was refused before anything was written."""


class UnknownTask(InvalidJob):
    """No task of that name is registered."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        close = get_close_matches(name, self.known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(
            f"no task {name!r} is registered.{hint}"
            f" Registered: {', '.join(sorted(self.known)) or 'none'}."
            " Decorate the function with @queue.task, or allow its module:"
            ' TaskQueue(trusted_modules=("package.module",))'
        )


class InvalidArguments(InvalidJob):
    """The task's signature or its types refuse the arguments.

    Attributes:
        task: the task's name.
        problems: one mapping a problem: `loc` (a tuple that starts with the parameter), `msg`.
    """

    def __init__(self, task: str, problems: Iterable[dict[str, Any]]) -> None:
        self.task, self.problems = task, tuple(problems)
        told = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in self.problems)
        super().__init__(f"task {task!r} does not take these arguments: {told}")


class InvalidOption(InvalidJob):
    """An option of a job is out of range, or excludes another."""

    def __init__(self, option: str, value: object, cure: str) -> None:
        self.option, self.value, self.cure = option, value, cure
        super().__init__(f"{option}={value!r} cannot be used: {cure}")


class PayloadTooLarge(InvalidJob):
    """The encoded arguments of a job are over the limit."""

    def __init__(self, task: str, size: int, limit: int) -> None:
        self.task, self.size, self.limit = task, size, limit
        super().__init__(
            f"the arguments of task {task!r} take {size:,} bytes, the limit is {limit:,}."
            " Store the data elsewhere and pass a reference to it"
        )


class JobNotFound(MsgqueueError):
    """No job of that id is in Redis."""

    def __init__(self, job_id: str, where: str = "") -> None:
        self.job_id, self.where = job_id, where
        told = f" in {where}" if where else ""
        super().__init__(
            f"no job {job_id!r}{told}: it never existed, was deleted, or its time to live is over"
        )


class JobFailed(MsgqueueError):
    """The job ended with an error.

    Attributes:
        job_id: the job.
        type: the exception's qualified name as the worker saw it, such as `ValueError`.
        message: the exception's text.
        traceback: the whole traceback as text; it may name local paths.
    """

    def __init__(self, job_id: str, type: str, message: str, traceback: str) -> None:
        self.job_id, self.type, self.message, self.traceback = job_id, type, message, traceback
        super().__init__(
            f"job {job_id} failed: {type}: {message}" if message else f"job {job_id} failed: {type}"
        )


class JobCancelled(MsgqueueError):
    """The job was cancelled before it began, or stopped while it ran."""

    def __init__(self, job_id: str, status: str) -> None:
        self.job_id, self.status = job_id, status
        super().__init__(f"job {job_id} has no result: it was {status}")


class ResultExpired(MsgqueueError):
    """The job finished and its result is no longer kept."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"the result of job {job_id} is no longer kept."
            " Keep it longer: .options(result_ttl=seconds)"
        )


class JobConflict(MsgqueueError):
    """The job's state does not allow what was asked; nothing was changed."""

    def __init__(self, job_id: str, action: str, status: str) -> None:
        self.job_id, self.action, self.status = job_id, action, status
        super().__init__(f"cannot {action} job {job_id}: it is {status}")


class DamagedJob(MsgqueueError):
    """A job's data in Redis cannot be read; it is left as it is."""

    def __init__(self, job_id: str, reason: str) -> None:
        self.job_id, self.reason = job_id, reason
        super().__init__(f"the data of job {job_id!r} cannot be read: {reason}")


class EmbeddedServerError(MsgqueueError):
    """The embedded server cannot be found, started or trusted."""


class RedisError(MsgqueueError):
    """Redis did not do what was asked."""


class RedisUnavailable(RedisError):
    """Redis cannot be reached, or takes no writes for now; the call may be made again.

    Attributes:
        address: where it was tried, without credentials.
        reason: what the last try met.
    """

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(f"Redis at {address} cannot be used right now: {reason}")


class QueueFull(RedisError):
    """Redis is at its memory limit and refused the job; nothing was written."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            f"Redis at {address} is at its memory limit (maxmemory) and takes no further job."
            " Raise the limit, or let the workers catch up and try again"
        )


class RedisRefused(RedisError):
    """Redis answers, and refuses for a reason that waiting does not cure."""

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(f"Redis at {address} refuses: {reason}")


class ValueTooLarge(RedisRefused):
    """A single value is larger than Redis takes; nothing was written."""

    def __init__(self, address: str, size: int) -> None:
        self.size = size
        super().__init__(
            address,
            f"{size:,} bytes are more than one value may have (its proto-max-bulk-len)."
            " Store the data elsewhere and keep a reference to it",
        )
