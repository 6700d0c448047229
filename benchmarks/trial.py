"""What a measurement works with: one contender, ready to be used, and one empty server."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from benchmarks.environments import ROOT
from benchmarks.fleet import Fleet
from benchmarks.roster import Contender
from benchmarks.server import Server
from benchmarks.stamps import ROOM, Stamps

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
    log: IO[bytes]
    environment: dict[str, str]
    orders: IO[bytes]
    answers: IO[bytes]

    def ask(self, name: str, **arguments: Any) -> Any:
        """Have the agent do something, and wait for its answer.

        Raises:
            MeasurementFailed: it could not.
        """
        try:
            os.write(self.orders.fileno(), json.dumps([name, arguments]).encode() + b"\n")
            answer = json.loads(self.answers.readline())
        except (BrokenPipeError, ValueError) as error:
            raise MeasurementFailed(f"its agent died: {self._last_words()}") from error
        if "error" in answer:
            raise MeasurementFailed(answer["error"])
        return answer["answer"]

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
            self.ask("probe")
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
    contender: Contender, effort: Effort, server: Server, python: Path, folder: Path
) -> Iterator[Trial]:
    """Start the contender's agent; it and its files are gone afterwards."""
    stamps_file = folder / "stamps"
    stamps = Stamps.create(stamps_file) if not stamps_file.exists() else Stamps(stamps_file)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCH_URL": server.url,
        "BENCH_STAMPS": str(stamps_file),
        "BENCH_VARIANT": contender.variant,
    }
    name = contender.name.replace(" ", "-").replace(",", "")
    with (
        (folder / f"{name}.log").open("ab") as log,
        subprocess.Popen(
            [str(python), "-m", "benchmarks.agent", contender.environment.module],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
        ) as agent,
    ):
        orders, answers = cast("IO[bytes]", agent.stdin), cast("IO[bytes]", agent.stdout)
        try:
            yield Trial(contender, effort, server, stamps, log, environment, orders, answers)
        finally:
            agent.terminate()
