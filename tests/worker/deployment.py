"""A deployment of plain rq, whose workers are started by rq's own command with our class."""

import os
import subprocess
import sys
from pathlib import Path

import redis
from rq import Queue
from rq.job import Job

ROOT = Path(__file__).parents[2]
RQ = Path(sys.executable).parent / "rq"


class Deployment:
    """A queue of plain rq, and workers started by rq's own command."""

    def __init__(self, url: str, notes: Path) -> None:
        self.url, self.notes = url, notes
        self.redis = redis.Redis.from_url(url)
        self.queue = Queue("default", connection=self.redis)
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self, *flags: str, queues: tuple[str, ...] = ("default",)) -> subprocess.Popen[bytes]:
        """Start `rq worker` with our class."""
        command = [str(RQ), "worker", "--url", self.url, "--worker-class", "msgqueue.RqWorker"]
        path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
        worker = subprocess.Popen(
            [*command, *flags, *queues],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "NOTES": str(self.notes)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._workers.append(worker)
        return worker

    def burst(self, *flags: str, queues: tuple[str, ...] = ("default",)) -> str:
        """Run all that waits; what was logged."""
        worker = self.start("--burst", *flags, queues=queues)
        log, _ = worker.communicate(timeout=30)
        assert worker.returncode == 0, log.decode()
        return log.decode()

    def noted(self) -> list[str]:
        """The lines that `note` has written."""
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def job(self, job: Job) -> Job:
        """The job, read anew."""
        return Job.fetch(job.id, connection=self.redis, serializer=job.serializer)

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
            worker.communicate()
        self.redis.close()
