"""/healthz: whether the server answers and its Redis takes writes. It needs no key."""

from fastapi import APIRouter

from msgqueue.errors import RedisError
from msgqueue.queue import TaskQueue
from msgqueue.server.problems import Problem, ProblemRoute, problems
from msgqueue.store import steps


def create_health_router(queue: TaskQueue) -> APIRouter:
    """The route for load balancers and container engines."""
    router = APIRouter(route_class=ProblemRoute, tags=["health"])

    @router.get("/healthz", responses=problems(503), operation_id="health")
    async def health() -> dict[str, str]:
        """`{"status": "ok"}`, or a 503."""
        try:
            await queue.async_store.run(steps.writable())
        except RedisError as error:
            told = "Redis cannot be used right now; the server's log tells more."
            raise Problem(503, "redis-unavailable", told, {"Retry-After": "2"}) from error
        return {"status": "ok"}

    return router
