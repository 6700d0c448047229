"""Who is measured: msgqueue's worker, and rq's worker-pool of SimpleWorkers."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from msgqueue.bench.tasks import noop
from msgqueue.jobs import JobStatus
from msgqueue.queue import TaskQueue

STOP_TIMEOUT = 20.0


@dataclass(frozen=True)
class Contender:
    """One system under measurement, in a Redis database of its own.

    Attributes:
        name: as the report shows it.
        queue: looks at the jobs; both write the same layout, so both are read the same way.
        enqueue: enqueues one job, answers its id.
        enqueue_many: enqueues so many jobs in one call.
        command: starts its workers.
        environment: what the workers' environment has besides ours.
    """

    name: str
    queue: TaskQueue
    enqueue: Callable[[], str]
    enqueue_many: Callable[[int], object]
    command: Sequence[str]
    environment: dict[str, str]

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Run the workers, from when they are registered until the block ends."""
        process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def finished(self) -> int:
        """How many jobs are finished."""
        return self.queue.counts().get(JobStatus.FINISHED, 0)

    def clear(self) -> None:
        """Empty the database."""
        self.queue.source.client().flushdb()

    def server(self) -> str:
        """The server's kind and version."""
        info = self.queue.source.client().info("server")
        name = str(info.get("server_name", "redis"))
        return f"{name} {info.get(f'{name}_version', info['redis_version'])}"


def msgqueue_workers(url: str, processes: int) -> Contender:
    """Our own worker, as `msgqueue worker` starts it."""
    queue = TaskQueue(url)
    task = queue.task(noop.function)
    return Contender(
        name="msgqueue",
        queue=queue,
        enqueue=lambda: task.enqueue(1, 2).id,
        enqueue_many=lambda count: queue.enqueue_many(task.spec(1, 2) for _ in range(count)),
        command=(
            *(sys.executable, "-m", "msgqueue.cli", "worker", "msgqueue.bench.tasks:queue"),
            *("--processes", str(processes)),
        ),
        environment={"MSGQUEUE_REDIS_URL": url, "MSGQUEUE_LOG_LEVEL": "warning"},
    )


def rq_pool(url: str, processes: int) -> Contender:
    """rq's worker-pool of SimpleWorkers, its fastest way to run jobs."""
    queue = TaskQueue(url)
    rq_queue = queue.rq_queue("default")
    path = noop.path
    return Contender(
        name="rq worker-pool",
        queue=queue,
        enqueue=lambda: str(rq_queue.enqueue(path, 1, 2).id),
        enqueue_many=lambda count: rq_queue.enqueue_many(
            [rq_queue.prepare_data(path, (1, 2)) for _ in range(count)]
        ),
        command=(
            *(sys.executable, "-m", "rq.cli", "worker-pool", "default", "--url", url),
            *("--num-workers", str(processes), "--worker-class", "rq.worker.SimpleWorker"),
            *("--serializer", "json", "--logging-level", "WARNING", "--quiet"),
        ),
        environment={},
    )
