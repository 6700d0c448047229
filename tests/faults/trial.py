"""One trial: a Redis, producers, workers, what strikes them, and what came of it."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from tests.faults import app, soundness
from tests.faults.launched import Launched
from tests.faults.ledger import Books, Verdict
from tests.faults.producer import Order, produce
from tests.faults.recovery import Run
from tests.patience import wait_until
from tests.worker.crew import Process, prepare
from tests.worker.faults import install

from msgqueue.connection import Source
from msgqueue.errors import RedisUnavailable
from msgqueue.jobs import JobStatus
from msgqueue.observe import logs
from msgqueue.worker.supervisor import Supervisor

Started = Process | Launched
PATIENCE = 120.0  # seconds that producers may wait for Redis between two answers
WAITING = (JobStatus.QUEUED, JobStatus.STARTED, JobStatus.SCHEDULED, JobStatus.DEFERRED)


def supervise(env: dict[str, str], options: dict[str, Any]) -> None:
    """What the process of a supervisor does."""
    prepare(env)
    logs.configure(level="warning")
    install()
    os._exit(Supervisor(app.queue, **options).run())


class Trial:
    """Starts processes on one Redis, and asks the books what came of it.

    Args:
        url: where the workers find Redis.
        folder: for the books.
        choice: makes every choice, so that a seed repeats them.
        producers_url: where the producers find it, if not there.
    """

    def __init__(
        self, url: str, folder: Path, choice: random.Random, producers_url: str | None = None
    ) -> None:
        self.url, self.choice = url, choice
        self.books = Books(folder)
        self._producers_url = producers_url or url
        self._source = Source(producers_url or url)
        self._names = 0
        self.supervisors: list[Started] = []
        self.producers: list[Process] = []

    # Who takes part

    def start(self, env: dict[str, str] | None = None, **options: Any) -> Process:
        """Start a supervisor with these arguments of `Supervisor`."""
        environment = {"MSGQUEUE_REDIS_URL": self.url}
        environment |= self.books.environment | (env or {})
        process = Process(supervise, environment, options)
        self.supervisors.append(process)
        return process

    def produce(self, count: int, url: str = "", **how: Any) -> Process:
        """Start a producer of so many jobs, which takes this way; `how` is as in `Order`."""
        self._names += 1
        order = Order(f"p{self._names}", count, self.choice.randrange(1 << 32), **how)
        process = Process(produce, url or self._producers_url, self.books.folder, order)
        self.producers.append(process)
        return process

    @property
    def client(self) -> redis.Redis:
        """A plain client of this Redis."""
        return self._source.client()

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """The test itself speaks to this Redis."""
        with app.queue.diverted(self._source):
            yield

    def enqueue(
        self, task: str, key: str, *args: Any, expected: bool = True, **options: Any
    ) -> None:
        """Enqueue one job from here, and write it into the books; it need not end if not expected.

        Further keyword arguments are options of the job.
        """
        made = app.queue.tasks[task].options(**{"job_id": key, **options})
        self.books.attempt(key)
        with self.speaking():
            made.enqueue(key, *args)
        if expected:
            self.books.acknowledge([key])

    def began(self, key: str) -> bool:
        """Whether a run of it began."""
        self.books.read()
        return key in self.books.runs

    def wait_for_begin(self, key: str, within: float = 20.0) -> None:
        """Wait until a run of it begins."""
        wait_until(lambda: self.began(key), within, f"{key} begins")

    def read_runs(self, key: str) -> list[Run]:
        """The runs of a job until here."""
        self.books.read()
        return self.books.runs.get(key, [])

    def cancel(self, key: str) -> None:
        """Cancel a job, or have it stopped."""
        with self.speaking():
            app.queue.cancel(key)

    def status(self, key: str) -> JobStatus:
        """How a job stands."""
        with self.speaking():
            return app.queue.job(key).status

    # What strikes them

    def children(self) -> list[int]:
        """The pids of all living children."""
        return [pid for one in self.supervisors if one.alive for pid in one.children()]

    def kill_child(self) -> None:
        """kill -9 of one child."""
        children = self.children()
        if children:
            self._kill("child", [self.choice.choice(children)])

    def kill_supervisor(self) -> Started | None:
        """kill -9 of one supervisor; its children end by themselves."""
        return self._kill_one("supervisor", lambda victim: [victim.pid])

    def kill_machine(self) -> Started | None:
        """kill -9 of one supervisor and all its children at the same moment."""
        return self._kill_one("machine", lambda victim: [victim.pid, *victim.children()])

    def kill_producer(self, producer: Process) -> None:
        """kill -9 of one producer."""
        self._kill("producer", [producer.pid])

    def wait_for_acknowledged(self, more: int) -> None:
        """Wait until the producers were told of so many more jobs, or have ended."""
        self.books.read()
        enough = len(self.books.acknowledged) + more

        def told() -> bool:
            self.books.read()
            acknowledged = len(self.books.acknowledged)
            return acknowledged >= enough or not any(one.alive for one in self.producers)

        wait_until(told, PATIENCE, f"{more} more are acknowledged", pause=0.005)

    def _kill_one(self, kind: str, pids: Callable[[Started], list[int]]) -> Started | None:
        living = [one for one in self.supervisors if one.alive]
        if not living:
            return None
        victim = self.choice.choice(living)
        self._kill(kind, pids(victim))
        return victim

    def strike(self, kind: str, pids: list[int], *numbers: signal.Signals) -> None:
        """Send these signals to all of these processes, one after the other."""
        for number in numbers:
            for pid in pids:
                self.signal(pid, number)
        self.books.strike(kind, pids)

    def _kill(self, kind: str, pids: list[int]) -> None:
        # Stopped first: all die at one moment.
        self.strike(kind, pids, signal.SIGSTOP, signal.SIGKILL)

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a process, which may have been quicker."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def rage(self, harm: Callable[[], object], pauses: tuple[float, float] = (0.05, 0.3)) -> int:
        """Do harm again and again while there is anything to run; how often."""
        count = 0
        while not self.done():
            time.sleep(self.choice.uniform(*pauses))  # harm comes when it will
            harm()
            count += 1
        return count

    # What came of it

    def done(self) -> bool:
        """Whether producers have ended and all that was acknowledged has run to its end."""
        self.books.read()
        return not any(one.alive for one in self.producers) and not self.books.open

    def at_rest(self) -> bool:
        """Whether, moreover, nothing waits or runs in Redis."""
        if not self.done():
            return False
        try:
            with self.speaking():
                counts = app.queue.counts()
        except RedisUnavailable:
            return False
        return not any(counts.get(status) for status in WAITING)

    def settle(self, within: float, recovered: float, *, sound: bool = True) -> Verdict:
        """Wait until all is at rest, at most so long; then the verdict, and Redis must be sound."""
        wait_until(self.at_rest, within, lambda: f"at rest: {self._told()}", pause=0.05)
        if sound:
            patient = Source(f"{self._producers_url}?socket_timeout=120")
            soundness.check(patient.client())
            patient.close()
        return self.books.verdict(recovered)

    def _told(self) -> str:
        verdict, now = self.books.verdict(), time.monotonic()
        told = [round(now - self.books.acknowledged[key], 2) for key in verdict.lost]
        lapses = [(round(now - x.since, 2), round(now - x.until, 2)) for x in self.books.lapses]
        with self.speaking():
            counts = app.queue.counts()
        return (
            f"{verdict}; the lost ones were acknowledged {told} s ago,"
            f" forgetting is allowed from and to {lapses} s ago; in Redis {counts}"
        )

    def close(self) -> None:
        """End all that was started."""
        for process in (*self.producers, *self.supervisors):
            process.end()
        self._source.close()
