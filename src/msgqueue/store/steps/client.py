"""Steps of clients: they enqueue jobs, and change or remove one that is there."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgqueue.jobs import Enqueued, JobSpec, JobStatus
from msgqueue.store.codec import parse_status, rare_fields, time_text
from msgqueue.store.messages import Arg, Cancelled, Requeued
from msgqueue.store.script import script
from msgqueue.store.steps.step import Step


def enqueue(
    specs: Sequence[JobSpec], meanwhile: Callable[[], None] | None = None
) -> Step[tuple[Enqueued, ...]]:
    """Creates jobs; an id that is alive is left as it is, the very same call again changes nothing.

    The caller bounds the number: 500 jobs or 1 MiB a call.
    """
    args: list[Arg] = []
    for s in specs:
        rare = rare_fields(s)
        args += (s.id, s.queue, _place(s), int(s.unique), time_text(s.created_at))
        args += (s.timeout, s.task, s.data, s.description, len(rare) // 2, *rare)

    def decode(raw: list[Any]) -> tuple[Enqueued, ...]:
        enqueued = [Enqueued(s.id, True, _first_status(s)) for s in specs]
        for number, made, word in zip(raw[::3], raw[1::3], raw[2::3], strict=True):
            spec = specs[number - 1]
            enqueued[number - 1] = Enqueued(spec.id, bool(made), parse_status(spec.id, word))
        return tuple(enqueued)

    return Step(script("enqueue"), (), args, decode, meanwhile)


def _first_status(spec: JobSpec) -> JobStatus:
    return JobStatus.QUEUED if spec.due is None else JobStatus.SCHEDULED


def _place(spec: JobSpec) -> Arg:
    if spec.due is not None:
        return spec.due
    return "front" if spec.front else "back"


def cancel(job_id: str, now_text: str) -> Step[Cancelled]:
    """Cancels a job that waits; asks a claimed one to stop; leaves a final one."""

    def decode(raw: list[bytes]) -> Cancelled:
        match raw[0]:
            case b"missing":
                return Cancelled(None)
            case b"stopping":
                return Cancelled(JobStatus.STARTED, stopping=True)
            case b"canceled":
                return Cancelled(JobStatus.CANCELED)
        return Cancelled(parse_status(job_id, raw[1]))

    return Step(script("cancel"), (), (job_id, now_text), decode)


def requeue(job_id: str, now_text: str) -> Step[Requeued]:
    """Runs a final job once more; one that is not final is left as it is.

    Raises, when its answer is read:
        DamagedJob: it is left as it is, with a status that nobody writes.
    """

    def decode(raw: list[bytes]) -> Requeued:
        if raw[0] == b"missing":
            return Requeued(None, done=False)
        return Requeued(parse_status(job_id, raw[-1]), raw[0] == b"queued")

    return Step(script("requeue"), (), (job_id, now_text), decode)


def delete(job_id: str, now_text: str) -> Step[Literal["deleted", "refused", "missing"]]:
    """Removes a job that does not run, with all that belongs to it.

    Dependents that wait for this job alone are cancelled, unless it finished.
    """
    return Step(script("delete"), (), (job_id, now_text), lambda raw: raw[0].decode())


def save_meta(job_id: str, meta: bytes) -> Step[bool]:
    """Writes a job's own notes; whether the job is there."""
    return Step(script("save_meta"), (), (job_id, meta), bool)
