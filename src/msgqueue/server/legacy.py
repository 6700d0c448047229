"""The first HTTP contract: the six calls under /app/tasks, which existing clients make."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from msgqueue.jobs import JobInfo, JobStatus
from msgqueue.queue import TaskQueue
from msgqueue.registry import task_named
from msgqueue.server.auth import FROM_ENVIRONMENT, Auth, resolved
from msgqueue.server.bodies import body_of, checked, described, schema_of
from msgqueue.server.enqueueing import enqueue
from msgqueue.server.guard import refuse_riding
from msgqueue.server.lifespan import lifespan_of
from msgqueue.server.limits import MAX_LEGACY_PAGE, MAX_PAGE, read_object
from msgqueue.server.problems import Problem, ProblemRoute, problems
from msgqueue.server.results import results_of
from msgqueue.server.schemas import CallBody, CancelBody, CancelledBody, ListedJob, Received

Limit = Annotated[int, Query(ge=1, le=MAX_LEGACY_PAGE, description="How many jobs at most.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="How many of the newest to pass.")]

ANY_OBJECT = {
    "type": "object",
    "title": "Any JSON object: the one argument of the default task",
    "examples": [{"title": "test_task"}],
}


def create_legacy_router(
    queue: TaskQueue, *, auth: Auth = FROM_ENVIRONMENT, default_task: str | None = None
) -> APIRouter:
    """The six calls under `/app/tasks`, for clients that make them; new ones use `/v1`.

    Args:
        queue: whose tasks may be enqueued and whose jobs are shown.
        auth: as for `create_router`.
        default_task: the task that gets a received object which names none.

    Raises:
        ConfigurationError: `auth` was left out and no key is set.
        UnknownTask: the default task is not registered.
    """
    router = APIRouter(
        prefix="/app/tasks",
        tags=["tasks"],
        route_class=ProblemRoute,
        dependencies=[resolved(auth), Depends(refuse_riding)],
        lifespan=lifespan_of(queue),
    )
    if default_task is not None:
        task_named(queue.tasks, default_task)
    _add_receive(router, queue, default_task)
    _add_cancel(router, queue)
    _add_lists(router, queue)
    return router


def _add_receive(router: APIRouter, queue: TaskQueue, default_task: str | None) -> None:
    @router.post(
        "/receive",
        responses=problems(400, 401, 413, 415, 422, 503),
        openapi_extra=described({"anyOf": [ANY_OBJECT, schema_of(CallBody)]}),
        operation_id="receive_task",
    )
    async def receive(body: Annotated[dict[str, Any], Depends(read_object)]) -> Received:
        """Enqueue a job: the task that the body names, or the default task with the body."""
        if "task" in body:
            call = checked(CallBody, body)
            options = {} if call.queue is None else {"queue": call.queue}
            job = await enqueue(task_named(queue.tasks, call.task), call.args, call.kwargs, options)
        elif default_task is None:
            raise Problem(422, "no-default-task", NO_DEFAULT_TASK)
        else:
            job = await enqueue(task_named(queue.tasks, default_task), [body], {}, {})
        return Received(job_id=job.id)


NO_DEFAULT_TASK = (
    'The body names no task and this server has no default task. Send {"task": NAME, "args": [],'
    ' "kwargs": {}}, or start the server with --default-task NAME'
    " (create_legacy_router(queue, default_task=NAME))."
)


def _add_cancel(router: APIRouter, queue: TaskQueue) -> None:
    @router.post(
        "/cancel",
        responses=problems(400, 401, 404, 413, 415, 422, 503),
        openapi_extra=described(schema_of(CancelBody)),
        operation_id="cancel_task",
    )
    async def cancel(body: Annotated[CancelBody, Depends(body_of(CancelBody))]) -> CancelledBody:
        """Cancel a job, or stop it where it runs; one that had ended keeps its status."""
        return CancelledBody(job_id=body.job_id, status=await queue.cancel_async(body.job_id))


def _add_lists(router: APIRouter, queue: TaskQueue) -> None:
    for word, status in (
        ("queued", JobStatus.QUEUED),
        ("cancelled", JobStatus.CANCELED),
        ("finished", JobStatus.FINISHED),
        ("failed", JobStatus.FAILED),
    ):
        _add_list(router, queue, word, status)


def _add_list(router: APIRouter, queue: TaskQueue, word: str, status: JobStatus) -> None:
    @router.get(
        f"/{word}_jobs",
        summary=f"List {word} jobs",
        response_model_exclude_unset=True,
        responses=problems(401, 422, 503),
        operation_id=f"list_{word}_jobs",
    )
    async def listed(limit: Limit = MAX_LEGACY_PAGE, offset: Offset = 0) -> list[ListedJob]:
        """The newest first; those that failed include those that were stopped while they ran."""
        infos = [info async for info in _newest(queue, status, limit, offset)]
        if status is not JobStatus.FINISHED:
            return [_listed(info) for info in infos]
        results = await results_of(queue, infos)
        return [_listed(info, result=result) for info, result in zip(infos, results, strict=True)]


async def _newest(
    queue: TaskQueue, status: JobStatus, limit: int, offset: int
) -> AsyncIterator[JobInfo]:
    cursor, passed = None, 0
    while True:
        size = min(MAX_PAGE, offset + limit - passed)
        page = await queue.jobs_async(status, limit=size, cursor=cursor)
        for info in page.items:
            passed += 1
            if passed > offset:
                yield info
        cursor = page.next_cursor
        if cursor is None or passed >= offset + limit:
            return


def _listed(info: JobInfo, **result: Any) -> ListedJob:
    given: dict[str, Any] = {
        "job_id": info.id,
        "task": info.task,
        "status": info.status,
        "created_at": info.created_at,
        "enqueued_at": info.enqueued_at,
        "started_at": info.started_at,
        "ended_at": info.ended_at,
        **result,
    }
    if info.error is not None:
        given["error"] = {"type": info.error.type, "message": info.error.message}
    return ListedJob(**given)
