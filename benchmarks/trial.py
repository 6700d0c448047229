"""What a measurement works with: one contender, ready to be used, and one empty server."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from benchmarks.environments import ROOT
from benchmarks.fleet import Fleet
from benchmarks.roster import Contender
from benchmarks.server import Server
from benchmarks.stamps import PROBE, ROOM, Stamps

OTHER = 50
"""The second argument of a job; those that wait take it for milliseconds."""
CHUNK = 10_000
"""Jobs that one call enqueues in bulk."""
ANSWER_WITHIN = 300.0
"""Seconds in which a contender carries out one order; a million jobs in bulk take a tenth of it."""
READY_WITHIN = 30.0
"""Seconds until workers that were started run their first job."""
STALLED_AFTER = 10.0
"""Seconds without any progress after which a measurement is given up."""
LOOK = 0.005
"""Seconds between two looks at how far the workers are."""


class MeasurementFailed(Exception):
    """A contender could not be measured; the table says so, and the others go on."""


@dataclass(frozen=True)
class Effort:
    """How long the measurements take.

    Attributes:
        seconds: of a drain, about.
        jobs: of a latency.
        idle: seconds of watching idle workers.
        patience: seconds of waiting for what a killed worker left.
        million: jobs in the long queue.
    """

    seconds: float
    jobs: int
    idle: float
    patience: float
    million: int


WHOLE = Effort(seconds=2.0, jobs=250, idle=10.0, patience=20.0, million=1_000_000)
QUICK = Effort(seconds=0.7, jobs=100, idle=3.0, patience=10.0, million=100_000)


@dataclass(frozen=True)
class Trial:
    """One contender under measurement."""

    contender: Contender
    effort: Effort
    server: Server
    stamps: Stamps
    log: BinaryIO
    environment: dict[str, str]
    agent: "subprocess.Popen[bytes]"

    def ask(self, name: str, **arguments: Any) -> Any:
        """Have the agent do something, and wait for its answer.

        Raises:
            MeasurementFailed: it could not.
        """
        orders, answers = cast("BinaryIO", self.agent.stdin), cast("BinaryIO", self.agent.stdout)
        try:
            os.write(orders.fileno(), json.dumps([name, arguments]).encode() + b"\n")
            if not select.select([answers], [], [], ANSWER_WITHIN)[0]:
                self.agent.kill()  # else its answer would be taken for that to the next order
                raise MeasurementFailed(f"no answer to {name} in {ANSWER_WITHIN:g} s")
            answer = json.loads(answers.readline())
        except (BrokenPipeError, ValueError) as error:
            raise MeasurementFailed(f"its agent died: {self._last_words()}") from error
        if "error" in answer:
            raise MeasurementFailed(answer["error"])
        return answer["answer"]

    def enqueue(self, first: int, count: int) -> float:
        """Have no-op jobs enqueued one at a time; the seconds that it took."""
        return float(self.ask("one_by_one", first=first, count=count, other=OTHER))

    def fill(self, task: str, count: int, other: int = OTHER) -> float:
        """Have jobs enqueued in bulk; the seconds that it took."""
        return float(self.ask("in_bulk", task=task, count=count, other=other, chunk=CHUNK))

    def _last_words(self) -> str:
        lines = Path(self.log.name).read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"

    def clear(self) -> None:
        """Empty the server and the stamps."""
        self.server.clear()
        self.stamps.clear()

    def start(self, processes: int, concurrency: int | None = None) -> Fleet:
        """Start workers."""
        commands = self.ask("workers", processes=processes, concurrency=concurrency)
        return Fleet(commands, self.environment, self.log)

    @contextmanager
    def workers(self, processes: int, concurrency: int | None = None) -> Iterator[Fleet]:
        """Start workers; they are gone afterwards."""
        fleet = self.start(processes, concurrency)
        try:
            yield fleet
        finally:
            fleet.stop()

    @contextmanager
    def idle_workers(self, processes: int, concurrency: int | None = None) -> Iterator[Fleet]:
        """Start workers and wait until they have run a job, so that they wait for the next."""
        with self.workers(processes, concurrency) as fleet:
            self.enqueue(PROBE, 1)
            self.wait(lambda: self.stamps.begun(ROOM), 1, READY_WITHIN, fleet)
            yield fleet

    def wait(self, progress: Callable[[], int], goal: int, patience: float, fleet: Fleet) -> None:
        """Wait until the progress reaches the goal.

        Raises:
            MeasurementFailed: there was none for `patience` seconds, or the workers have ended.
        """
        seen, since = -1, time.monotonic()
        while (now := progress()) < goal:
            if now > seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > patience:
                raise MeasurementFailed(f"{now} of {goal} jobs, then none for {patience:.0f} s")
            elif not fleet.alive():
                raise MeasurementFailed(f"its workers ended after {now} of {goal} jobs")
            time.sleep(LOOK)


@contextmanager
def trial(
    contender: Contender, effort: Effort, server: Server, agent: Sequence[str], folder: Path
) -> Iterator[Trial]:
    """Start the contender's agent; it is gone afterwards.

    Args:
        contender: who is measured.
        effort: how long each measurement takes.
        server: where the jobs are.
        agent: the command that starts it.
        folder: for the stamps and the output of the contender.
    """
    stamps_file = folder / "stamps"
    stamps = Stamps.create(stamps_file) if not stamps_file.exists() else Stamps(stamps_file)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCH_URL": server.url,
        "BENCH_STAMPS": str(stamps_file),
        "BENCH_VARIANT": contender.variant,
    }
    name = contender.name.replace(" ", "-")
    with (
        (folder / f"{name}.log").open("ab") as log,
        subprocess.Popen(
            agent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
        ) as process,
    ):
        try:
            yield Trial(contender, effort, server, stamps, log, environment, process)
        finally:
            process.kill()  # it has nothing to save
