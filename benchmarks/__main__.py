"""The command: `python -m benchmarks`, or `nox -s bench -- ...`."""

import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import report
from benchmarks.environments import ROOT, python_of
from benchmarks.measurements import Measurement
from benchmarks.measurements.all import MEASUREMENTS
from benchmarks.record import Record
from benchmarks.roster import CONTENDERS, Contender
from benchmarks.server import PERSISTENCE, running
from benchmarks.trial import Effort, MeasurementFailed, Trial, trial
from msgqueue.embedded import binary

WHOLE = Effort(seconds=2.0, jobs=250, idle=10.0, patience=20.0, million=1_000_000)
QUICK = Effort(seconds=0.7, jobs=100, idle=3.0, patience=10.0, million=100_000)


def main(
    everyone: Annotated[bool, typer.Option("--all", help="Measure the slower peers too.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One short round: minutes.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds; default 3, quick 1.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only contenders whose name begins so; repeatable.")
    ] = None,
    measure: Annotated[list[str] | None, typer.Option(help="Only this; repeatable.")] = None,
    server: Annotated[
        str | None, typer.Option(help="The server's executable; default the embedded one.")
    ] = None,
    patience: Annotated[
        float | None, typer.Option(help="Seconds of waiting after a kill -9; default 20, quick 10.")
    ] = None,
    persistence: Annotated[str, typer.Option(help=" or ".join(PERSISTENCE))] = "none",
    environments: Annotated[Path, typer.Option(help="Where the contenders are installed.")] = ROOT
    / ".nox"
    / "bench-contenders",
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write every value to this file.")
    ] = None,
    logs: Annotated[Path | None, typer.Option(help="Keep the contenders' output here.")] = None,
) -> None:
    """Measure msgqueue beside its peers, interleaved, on one server that is thrown away."""
    contenders = _chosen(everyone, only or [])
    measurements = _measured(measure or [], quick)
    executable = binary.find(server)
    console = Console(stderr=True)
    with ExitStack() as stack:
        folder = logs or Path(stack.enter_context(TemporaryDirectory(prefix="msgqueue-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        pythons = {one.name: _installed(one, environments, console) for one in contenders}
        redis = stack.enter_context(running(executable, persistence, folder))
        conditions = _conditions(redis.name(), persistence)
        record = Record(conditions, contenders, measurements)
        effort = QUICK if quick else WHOLE
        effort = replace(effort, patience=patience) if patience else effort
        trials = []
        for one in contenders:
            begun = stack.enter_context(trial(one, effort, redis, pythons[one.name], folder))
            trials.append(begun)
        _run(record, trials, rounds or (1 if quick else 3), console)
    if as_json:
        as_json.write_text(json.dumps(record.as_json(), indent=1))
    out = Console(width=None if sys.stdout.isatty() else 320)
    out.print(report.as_table(record))
    for note in report.notes(record):
        out.print(note)
    if record.faults:
        raise typer.Exit(1)


def _chosen(everyone: bool, only: Sequence[str]) -> tuple[Contender, ...]:
    if only:
        return tuple(
            one for one in CONTENDERS if one.name.lower().startswith(tuple(map(str.lower, only)))
        )
    return tuple(one for one in CONTENDERS if everyone or not one.extra)


def _measured(names: Sequence[str], quick: bool) -> tuple[Measurement, ...]:
    if unknown := set(names) - {one.name for one in MEASUREMENTS}:
        known = ", ".join(one.name for one in MEASUREMENTS)
        raise typer.BadParameter(f"no measurement {', '.join(unknown)}: there are {known}")
    if names:
        return tuple(one for one in MEASUREMENTS if one.name in names)
    return tuple(one for one in MEASUREMENTS if not (quick and one.slow))


def _installed(contender: Contender, folder: Path, console: Console) -> Path:
    with console.status(f"installing {contender.environment.name}"):
        return python_of(contender.environment, folder)


def _run(record: Record, trials: Sequence[Trial], rounds: int, console: Console) -> None:
    """Contender after contender within a measurement, so that all share the machine's moods."""
    steps = list(_steps(record.measurements, trials, rounds))
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(steps))
        for number, measurement, one in steps:
            what = f"round {number}: {measurement.name}, {one.contender.name}"
            progress.update(bar, description=what)
            began = time.monotonic()
            try:
                record.keeps[one.contender.column] = one.ask("keeps")
                record.add(one.contender, measurement.take(one))
            except MeasurementFailed as fault:
                record.faults[one.contender.column, measurement.name] = str(fault)
            if not console.is_terminal:
                console.print(f"{what}, {time.monotonic() - began:.1f} s")
            progress.advance(bar)


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


def _conditions(server: str, persistence: str) -> dict[str, str]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, shared",
        "Python": platform.python_version(),
        "server": f"{server} on loopback, persistence {persistence}",
    }


if __name__ == "__main__":
    typer.run(main)
