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

from benchmarks.environments import Absent, InstallationFailed, prepare
from benchmarks.measurements import Measurement
from benchmarks.record import Record
from benchmarks.roster import Contender, Environment
from benchmarks.server import Persistence, running
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
        persistence: of the server.
        environments: where the contenders are installed.
    """

    contenders: tuple[Contender, ...]
    measurements: tuple[Measurement, ...]
    effort: Effort
    rounds: int
    executable: str
    persistence: Persistence
    environments: Path


def run(plan: Plan, folder: Path, console: Console) -> Record:
    """Carry it out.

    Args:
        plan: what to do.
        folder: for the files of the run, the contenders' output among them.
        console: where progress is shown.
    """
    with ExitStack() as stack:
        redis = stack.enter_context(running(plan.executable, plan.persistence, folder))
        record = Record(_conditions(plan, redis.name()), plan.contenders, plan.measurements)
        agents = install(record, plan.environments, console)
        trials = [
            stack.enter_context(trial(one, plan.effort, redis, agents[one.environment], folder))
            for one in plan.contenders
            if one.environment in agents
        ]
        measure(record, trials, plan.rounds, console)
    return record


def install(record: Record, folder: Path, console: Console) -> dict[Environment, Sequence[str]]:
    """Prepare each environment; the commands of the agents of those that are there."""
    agents: dict[Environment, Sequence[str]] = {}
    for environment in dict.fromkeys(one.environment for one in record.contenders):
        try:
            with console.status(f"installing {environment.name}"):
                ready = prepare(environment, folder)
        except Absent as missing:
            record.absent[environment] = str(missing)
        except InstallationFailed as error:
            record.fail(environment, str(error))
        else:
            agents[environment] = ready.agent
            record.versions[environment.name] = ready.versions
    return agents


def measure(record: Record, trials: Sequence[Trial], rounds: int, console: Console) -> None:
    """Contender after contender within a measurement, so that all share the machine's moods.

    What fails is noted, and the others go on; Ctrl-C ends it, and leaves what was measured.
    """
    steps = list(_steps(record.measurements, trials, rounds))
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(steps))
        for number, measurement, one in steps:
            what = f"round {number}: {measurement.name}, {one.contender.name}"
            progress.update(bar, description=what)
            began = time.monotonic()
            try:
                _take(record, measurement, one)
            except KeyboardInterrupt:
                record.complete = False
                return
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
    except Exception as error:  # noqa: BLE001 - it must not cost the figures of the others
        record.faults[column, measurement.name] = f"{type(error).__name__}: {error}"


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
