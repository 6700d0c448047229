"""Runs the tasks of a TaskQueue in child processes that it minds."""

import logging
import multiprocessing
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self

from msgqueue.errors import ConfigurationError, RedisUnavailable, UnknownQueue
from msgqueue.observe.logs import event
from msgqueue.queue import TaskQueue
from msgqueue.store import steps
from msgqueue.store.policy import eviction
from msgqueue.worker import memory
from msgqueue.worker.extras import Extra
from msgqueue.worker.loop import Loop
from msgqueue.worker.order import check_weights
from msgqueue.worker.os_signals import Signals
from msgqueue.worker.owned import OwnedSupervisor
from msgqueue.worker.pace import MOST
from msgqueue.worker.plan import Plan
from msgqueue.worker.scaling import WAIT_TARGET, Processes, bounds_of
from msgqueue.worker.shared import Context
from msgqueue.worker.terms import Terms

StartMethod = Literal["fork", "spawn"]

GRACE: Final = 8.0  # seconds; a container's stop waits for 10

logger = logging.getLogger(__name__)


class Supervisor:
    """Runs the tasks of a TaskQueue in child processes until it is told to end.

    `run()` blocks. `with Supervisor(queue): ...` is for whoever has another main loop, such as a
    web application's lifespan: it runs a worker as a process of its own and drains it at the end.
    That process ends, too, when this one is killed.

    Args:
        queue: whose jobs.
        processes: how many children; each runs one function, or many coroutines, at a time.
            A range, as in `(2, 8)`, follows the load: there are more while a job waits longer
            than `wait_target`, and those that were not needed for 30 s go; never one that works.
        queues: only these of the TaskQueue's queues, in order of priority: a job is taken only
            where none waits in a queue before. With weights, as in `{"high": 5, "default": 1}`,
            each gives its share of what is taken, and none starves.
        concurrency: how many coroutines a child runs at once.
        max_jobs: how many jobs a child runs before a new one takes its place; nothing is lost by
            it. None: any number.
        max_memory: MiB that a child may take (RSS: what it shares with its supervisor counts, too).
            One that takes more begins nothing further, and a new one takes its place; a job that
            still goes on after 0.2 s fails with `MemoryLimit`. None: any number.
        claim: how many jobs a child claims at once, at most; 1 turns claims of many off.
        grace: seconds that running jobs get to end on SIGTERM before they go back to the queue.
        burst: end when the queues are empty.
        wait_target: seconds that the oldest queued job may wait before a range brings more.
        start_method: `spawn` where the app's import starts threads; default `fork` on Linux.
        extras: further processes to start beside the children and to end after them.

    Raises:
        UnknownQueue: the TaskQueue does not name one of `queues`.
        ConfigurationError: another argument cannot be used.
    """

    def __init__(
        self,
        queue: TaskQueue,
        processes: Processes = 1,
        *,
        queues: Sequence[str] | Mapping[str, int] | None = None,
        concurrency: int = 100,
        max_jobs: int | None = None,
        max_memory: float | None = None,
        claim: int = MOST,
        grace: float = GRACE,
        burst: bool = False,
        wait_target: float = WAIT_TARGET,
        start_method: StartMethod | None = None,
        extras: Sequence[Extra] = (),
    ) -> None:
        for name in queues or ():
            if name not in queue.names:
                raise UnknownQueue(name, queue.names)
        self._options: dict[str, Any] = {
            "processes": processes,
            "queues": queues if isinstance(queues, Mapping) else list(queues or queue.names),
            "concurrency": concurrency,
            "max_jobs": max_jobs,
            "max_memory": max_memory,
            "claim": claim,
            "grace": grace,
            "burst": burst,
            "wait_target": wait_target,
            "start_method": start_method,
        }
        self._owned: OwnedSupervisor | None = None
        weights = check_weights(queues) if isinstance(queues, Mapping) else None
        terms = Terms(
            tuple(queues or queue.names),
            min(claim, MOST),
            concurrency,
            max_jobs,
            max_memory,
            weights=weights,
        )
        bounds = bounds_of(processes, wait_target)
        self._plan = Plan(queue, terms, bounds, grace, burst, extras)
        self._start_method = start_method

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, then drain: a second signal ends at once. The exit code.

        Raises:
            ConfigurationError: this is not the main thread, which signals need.
            RedisRefused, EmbeddedServerError: Redis will not serve us; one that is merely away
                is waited for.
        """
        if threading.current_thread() is not threading.main_thread():
            raise ConfigurationError("Supervisor.run() needs the main thread: signals come there")
        self._greet()
        self._plan.queue.source.never_wait()
        context = _context(self._start_method)
        memory.settle()
        with Signals() as signals:
            return Loop(self._plan, context, signals).run()

    def _greet(self) -> None:
        """Speak to Redis once: a wrong password is told here, not to the log for ever."""
        queue = self._plan.queue
        try:
            queue.store.run(steps.waiting(self._plan.terms.queues))
            policy = eviction(queue.source)
        except RedisUnavailable as error:
            event(logger, "redis is away", level=logging.WARNING, reason=error.reason)
            return
        if policy is not None:
            cure = "set maxmemory-policy noeviction: this one drops jobs when memory is full"
            event(logger, "jobs may be lost", level=logging.WARNING, policy=policy, cure=cure)

    def __enter__(self) -> Self:
        """Start a worker as a process.

        Raises:
            ConfigurationError: no other process could find the TaskQueue, or there are extras.
            RedisUnavailable, EmbeddedServerError: there is no Redis to begin with.
        """
        if self._plan.extras:
            raise ConfigurationError("extras run beside Supervisor.run() alone")
        queue = self._plan.queue
        queue.store.run(steps.waiting(queue.names))  # an embedded server is this process' own
        self._owned = OwnedSupervisor(queue, self._options, self._plan.grace)
        return self

    @property
    def pid(self) -> int | None:
        """The process id of the worker that `with` started; None without one."""
        return self._owned.pid if self._owned else None

    def __exit__(self, *_: object) -> None:
        owned, self._owned = self._owned, None
        if owned is not None:
            owned.end()


def _context(chosen: StartMethod | None) -> Context:
    """How children are started: forked, so that what was imported is shared, where that is safe."""
    if chosen == "fork":
        return multiprocessing.get_context("fork")
    if chosen is None and sys.platform != "darwin":
        if threading.active_count() == 1:
            return multiprocessing.get_context("fork")
        why = "the app's import started threads: each child takes about 15 MB more"
        event(logger, "children are spawned", level=logging.WARNING, why=why)
    return multiprocessing.get_context("spawn")
