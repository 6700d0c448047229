"""What the worker's tests hold: one Redis, its tasks, and supervisors as processes of their own."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rq import Queue
from rq.serializers import JSONSerializer
from tests.worker import app, dirty, faults

from msgqueue import Job, JobStatus, TaskQueue
from msgqueue.connection import Source
from msgqueue.observe import logs
from msgqueue.settings import PAUSES_BETWEEN_OFFERS
from msgqueue.worker.supervisor import Supervisor

TASKS = app, dirty  # the modules that register them
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


class Process:
    """A process that does what it is given, forked from one that has imported what that needs."""

    def __init__(self, work: Callable[..., None], *args: Any) -> None:
        self._process = FORKS.Process(target=work, args=args)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.is_alive()

    def wait(self, timeout: float) -> int:
        """Its exit code, once it has ended."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"still runs after {timeout} s"
        return self._process.exitcode

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def children(self) -> list[int]:
        """The pids of its children."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def end(self) -> None:
        """End it, by force if need be."""
        for ends in ((signal.SIGTERM, signal.SIGINT), (signal.SIGKILL,)):  # two: at once
            if self._process.is_alive():
                for number in ends:
                    self.signal(number)
                self._process.join(5)


def prepare(env: dict[str, str]) -> None:
    """Take this environment; `TOLD` in it names a file for what the process says."""
    os.environ.update(env)
    if "TOLD" in env:
        os.dup2(os.open(env["TOLD"], os.O_WRONLY | os.O_CREAT), 2)


def run(env: dict[str, str], options: dict[str, Any]) -> None:
    """What the process of a supervisor does."""
    prepare(env)
    logs.configure()
    faults.install()
    sys.exit(Supervisor(app.queue, **options).run())


class Crew:
    """Enqueues jobs of the test's tasks, and starts supervisors for them."""

    def __init__(self, url: str, notes: Path) -> None:
        self.url, self._notes = url, notes
        self.redis = Source(url).client()
        self.rq = Queue("default", connection=self.redis, serializer=JSONSerializer)
        self._env = {"MSGQUEUE_REDIS_URL": url, "NOTES": str(notes)}
        self._processes: list[Process] = []

    @property
    def queue(self) -> TaskQueue:
        """The queue of the test's tasks."""
        return app.queue

    def start(self, env: dict[str, str] | None = None, **options: Any) -> Process:
        """Start a supervisor with these arguments of `Supervisor`."""
        process = Process(run, self._env | (env or {}), options)
        self._processes.append(process)
        return process

    def enqueue(self, task: str, *args: Any, **options: Any) -> Job[Any]:
        """Enqueue a job of a task; keyword arguments are options."""
        return self.queue.tasks[task].options(**{"queue": "default", **options}).enqueue(*args)

    def enqueue_path(self, path: str, *args: Any) -> Job[Any]:
        """Enqueue by rq a job of any function."""
        return self.queue.job(self.rq.enqueue(path, args=args).id)

    def offer_last(self, job: Job[Any]) -> None:
        """Have its next offer be the last, as if workers had declined it until now."""
        self.redis.hset(f"rq:job:{job.id}", "mq_declined", len(PAUSES_BETWEEN_OFFERS))

    def noted(self) -> list[str]:
        """The lines that `note` has written."""
        return self._notes.read_text().splitlines() if self._notes.exists() else []

    def key(self, name: str) -> str:
        """The name of a key for the test's own use."""
        return f"test:{name}"

    def running(self, task: str) -> bool:
        """Whether a job of this task runs."""
        names = [job.task for job in self.queue.jobs(JobStatus.STARTED, limit=100).items]
        return task in names

    def environment(self) -> dict[str, str]:
        """What a plain rq worker needs to import the tasks."""
        root = Path(__file__).parents[2]
        return {**os.environ, **self._env, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}

    def close(self) -> None:
        """End all that was started."""
        for process in self._processes:
            process.end()
        self.redis.close()
