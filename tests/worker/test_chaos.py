"""Thousands of short jobs while processes are killed under them: none is lost, few run twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from tests.conftest import Eventually
from tests.worker.crew import Crew, Process

from msgqueue import JobStatus

RQ = Path(sys.executable).parent / "rq"
JOBS = 3_000


class Killer:
    """Kills a random child each 0.4 s, and the supervisor each 5 s; each is replaced at once.

    Attributes:
        children: how many children it killed.
        supervisors: how many supervisors.
    """

    def __init__(self, crew: Crew, seed: int) -> None:
        self._crew, self._random = crew, random.Random(seed)
        self._supervisor: Process = crew.start(processes=2)
        self.children = self.supervisors = 0

    def rage(self, seconds: float) -> None:
        """Kill for so long, or until all is done."""
        now = began = time.monotonic()
        supervisor_at = began + 5
        while now < began + seconds and not self.done:
            if now >= supervisor_at:
                supervisor_at += 5
                self._kill(self._supervisor.pid)
                self.supervisors += 1
                self._supervisor = self._crew.start(processes=2)
            elif children := self._supervisor.children():
                self._kill(self._random.choice(children))
                self.children += 1
            time.sleep(0.4)  # what lives that long is killed
            now = time.monotonic()

    @property
    def done(self) -> bool:
        """Whether every job has ended."""
        counts = self._crew.queue.counts()
        return counts[JobStatus.FINISHED] + counts[JobStatus.FAILED] == JOBS

    def _kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def enqueue(crew: Crew) -> None:
    note = crew.queue.tasks["note_slowly"]
    crew.queue.enqueue_many(note.options(queue="default").spec(n) for n in range(JOBS))


def check(crew: Crew, killed: int) -> None:
    """All jobs finished once, and began once but for those that were killed as they ran."""
    counts = crew.queue.counts()
    assert (counts[JobStatus.FINISHED], counts[JobStatus.FAILED]) == (JOBS, 0)
    assert sum(counts.values()) == JOBS
    began = Counter(crew.noted())
    assert set(began) == set(map(str, range(JOBS)))
    assert sum(began.values()) - JOBS <= killed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.faults) for n in (2, 3))])
def test_no_job_is_lost_and_only_what_ran_runs_twice(
    crew: Crew, eventually: Eventually, seed: int
) -> None:
    enqueue(crew)
    killer = Killer(crew, seed)

    killer.rage(30)

    eventually(lambda: killer.done, 40.0)
    check(crew, killer.children + 2 * killer.supervisors)
    assert killer.supervisors >= 1


@pytest.mark.slow
def test_no_job_is_lost_beside_plain_rq_workers(crew: Crew, eventually: Eventually) -> None:
    enqueue(crew)
    plain = [
        subprocess.Popen(
            [RQ, "worker", "--quiet", "--worker-class", "rq.SimpleWorker",
             "--serializer", "rq.serializers.JSONSerializer", "--url", crew.url, "default"],
            cwd=Path(__file__).parents[2], env=crew.environment(),
        )
        for _ in range(2)
    ]  # fmt: skip
    killer = Killer(crew, 4)

    killer.rage(30)

    eventually(lambda: killer.done, 40.0)
    check(crew, killer.children + 2 * killer.supervisors)
    for one in plain:
        one.terminate()
        one.wait(20)
