"""A run: installs the contenders, starts the server, and takes the measurements in turn."""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.environments import python_of
from benchmarks.measurements import Measurement
from benchmarks.record import Record
from benchmarks.roster import Contender
from benchmarks.server import running
from benchmarks.trial import Effort, MeasurementFailed, Trial, trial


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        contenders: whom it measures.
        measurements: what.
        effort: how long each takes.
        rounds: how often; the table shows medians.
        executable: of the server.
        persistence: of the server, a key of `server.PERSISTENCE`.
        environments: where the contenders are installed.
    """

    contenders: tuple[Contender, ...]
    measurements: tuple[Measurement, ...]
    effort: Effort
    rounds: int
    executable: str
    persistence: str
    environments: Path


def run(plan: Plan, folder: Path, console: Console) -> Record:
    """Carry it out; a contender that fails is noted and the others go on.

    Args:
        plan: what to do.
        folder: for the files of the run, the contenders' output among them.
        console: where progress is shown.

    Raises:
        RuntimeError: a contender could not be installed.
    """
    pythons = {}
    for one in plan.contenders:
        with console.status(f"installing {one.environment.name}"):
            pythons[one.name] = python_of(one.environment, plan.environments)
    with ExitStack() as stack:
        redis = stack.enter_context(running(plan.executable, plan.persistence, folder))
        record = Record(_conditions(plan, redis.name()), plan.contenders, plan.measurements)
        trials = [
            stack.enter_context(trial(one, plan.effort, redis, pythons[one.name], folder))
            for one in plan.contenders
        ]
        measure(record, trials, plan.rounds, console)
    return record


def measure(record: Record, trials: Sequence[Trial], rounds: int, console: Console) -> None:
    """Contender after contender within a measurement, so that all share the machine's moods."""
    steps = list(_steps(record.measurements, trials, rounds))
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(steps))
        for number, measurement, one in steps:
            what = f"round {number}: {measurement.name}, {one.contender.name}"
            progress.update(bar, description=what)
            began = time.monotonic()
            _take(record, measurement, one)
            if not console.is_terminal:
                console.print(f"{what}, {time.monotonic() - began:.1f} s")
            progress.advance(bar)


def _take(record: Record, measurement: Measurement, one: Trial) -> None:
    column = one.contender.column
    try:
        record.keeps[column] = one.ask("keeps")
        record.add(one.contender, measurement.take(one))
    except MeasurementFailed as fault:
        record.faults[column, measurement.name] = str(fault)


def _steps(
    measurements: Sequence[Measurement], trials: Sequence[Trial], rounds: int
) -> Iterator[tuple[int, Measurement, Trial]]:
    for number in range(1, rounds + 1):
        for measurement in measurements:
            if measurement.once and number > 1:
                continue
            for one in trials:
                if measurement.name in one.contender.takes:
                    yield number, measurement, one


def _conditions(plan: Plan, server: str) -> dict[str, str]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, shared",
        "server": f"{server} on loopback, persistence {plan.persistence}",
        "Python": f"Python {platform.python_version()}",
        "rounds": f"medians of {plan.rounds} rounds" if plan.rounds > 1 else "a single round",
    }
