"""The HTTP API under /v1: enqueue, read, list, cancel and retry jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from msgqueue.errors import JobNotFound
from msgqueue.queue import TaskQueue
from msgqueue.registry import task_named
from msgqueue.server.auth import FROM_ENVIRONMENT, Auth, resolved
from msgqueue.server.bodies import body_of, described, schema_of
from msgqueue.server.enqueueing import enqueue
from msgqueue.server.guard import refuse_riding
from msgqueue.server.lifespan import lifespan_of
from msgqueue.server.limits import JobId, ListQuery
from msgqueue.server.problems import ProblemRoute, problems
from msgqueue.server.results import shown
from msgqueue.server.schemas import EnqueueBody, JobBody, JobDetail, JobPage, JobReference
from msgqueue.store import steps


def create_router(queue: TaskQueue, *, auth: Auth = FROM_ENVIRONMENT) -> APIRouter:
    """The HTTP API of a queue: `app.include_router(create_router(queue), prefix="/queue")`.

    Its lifespan, which the host app's runs, closes the queue's connections at the end. It adds
    no middleware and no exception handler to the host.

    Args:
        queue: whose tasks may be enqueued and whose jobs are shown.
        auth: a FastAPI dependency that raises for who may not call; left out, the keys of
            MSGQUEUE_API_KEYS; None, everybody.

    Raises:
        ConfigurationError: `auth` was left out and no key is set.
    """
    router = APIRouter(
        prefix="/v1/jobs",
        tags=["jobs"],
        route_class=ProblemRoute,
        dependencies=[resolved(auth), Depends(refuse_riding)],
        lifespan=lifespan_of(queue),
    )
    _add_writes(router, queue)
    _add_reads(router, queue)
    return router


def _add_writes(router: APIRouter, queue: TaskQueue) -> None:
    @router.post(
        "",
        status_code=202,
        response_model=JobReference,
        responses=problems(400, 401, 413, 415, 422, 503),
        openapi_extra=described(schema_of(EnqueueBody)),
        operation_id="enqueue_job",
    )
    async def enqueue_job(
        request: Request, body: Annotated[EnqueueBody, Depends(body_of(EnqueueBody))]
    ) -> Response:
        """Enqueue a job. The answer's Location is where to read it."""
        task = task_named(queue.tasks, body.task)
        job = await enqueue(task, body.args, body.kwargs, body.options())
        answer = JobReference(id=job.id, status=job.status)
        where = {"Location": f"{request.url.path}/{job.id}"}
        return JSONResponse(answer.model_dump(mode="json"), 202, where)

    @router.post(
        "/{job_id}/cancel",
        responses={202: {"model": JobReference}, **problems(401, 404, 422, 503)},
        operation_id="cancel_job",
    )
    async def cancel_job(job_id: JobId, response: Response) -> JobReference:
        """Cancel a job, or stop it where it runs; 202 while it has not ended yet.

        A job that had ended keeps its status, which is answered.
        """
        status = await queue.cancel_async(job_id)
        response.status_code = 200 if status.final else 202
        return JobReference(id=job_id, status=status)

    @router.post(
        "/{job_id}/retry", responses=problems(401, 404, 409, 422, 503), operation_id="retry_job"
    )
    async def retry_job(job_id: JobId) -> JobReference:
        """Run a job that has ended once more, with the same arguments."""
        job = await queue.retry_async(job_id)
        return JobReference(id=job_id, status=job.status)


def _add_reads(router: APIRouter, queue: TaskQueue) -> None:
    @router.get("/{job_id}", responses=problems(401, 404, 422, 503), operation_id="get_job")
    async def get_job(job_id: JobId) -> JobDetail:
        """One job, with its result or its error."""
        stored = await queue.async_store.run(steps.read(job_id))
        if stored is None:
            raise JobNotFound(job_id)
        body: dict[str, Any] = JobBody.of(stored.info).model_dump()
        return JobDetail(**body, result=shown(stored.result))

    @router.get("", responses=problems(401, 422, 503), operation_id="list_jobs")
    async def list_jobs(
        request: Request, response: Response, asked: Annotated[ListQuery, Query()]
    ) -> JobPage:
        """The jobs of one status, newest first, a page at a time; never arguments or results."""
        page = await queue.jobs_async(
            asked.status, queue=asked.queue, limit=asked.limit, cursor=asked.cursor
        )
        if page.next_cursor:
            following = request.url.include_query_params(cursor=page.next_cursor)
            response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        items = [JobBody.of(info) for info in page.items]
        return JobPage(items=items, next_cursor=page.next_cursor)
