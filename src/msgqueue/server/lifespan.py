"""Opens a queue's connections with the app, and closes them with it, however often it is used."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from msgqueue.queue import TaskQueue

USERS = "msgqueue_users"


def lifespan_of(queue: TaskQueue) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The `lifespan` of a router that serves this queue.

    Several routers of one queue in one app, or one router included twice, run it several times:
    the last to end closes. The count lies in the app's state, so two apps do not meet.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        if not hasattr(app.state, USERS):
            setattr(app.state, USERS, Counter())
        users: Counter[int] = getattr(app.state, USERS)
        users[id(queue)] += 1
        try:
            yield
        finally:
            users[id(queue)] -= 1
            if not users[id(queue)]:
                await queue.aclose()

    return lifespan
