"""The command: `python -m benchmarks`, or `nox -s bench -- ...`."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import docs, report
from benchmarks.environments import ROOT
from benchmarks.measurements import Measurement
from benchmarks.measurements.all import MEASUREMENTS
from benchmarks.roster import CONTENDERS, Contender
from benchmarks.run import Plan, run
from benchmarks.server import PERSISTENCE
from benchmarks.trial import QUICK, WHOLE
from msgqueue.embedded import binary

PAPER = 320
"""Columns of a table that goes to a file."""


def main(
    everyone: Annotated[bool, typer.Option("--all", help="Measure the slower peers too.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One short round: minutes.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Default 3, with --quick 1.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only contenders whose name begins so; repeatable.")
    ] = None,
    measure: Annotated[list[str] | None, typer.Option(help="Only this; repeatable.")] = None,
    patience: Annotated[
        float | None, typer.Option(help="Seconds of waiting after kill -9; default 20, quick 10.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="The server's executable; default the embedded one.")
    ] = None,
    persistence: Annotated[str, typer.Option(help=" or ".join(PERSISTENCE))] = "none",
    environments: Annotated[Path, typer.Option(help="Where the contenders are installed.")] = ROOT
    / ".nox"
    / "bench-contenders",
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write every value to this file.")
    ] = None,
    into_docs: Annotated[
        bool, typer.Option("--docs", help="Put table and plot into the documentation.")
    ] = False,
    logs: Annotated[Path | None, typer.Option(help="Keep the contenders' output here.")] = None,
) -> None:
    """Measure msgqueue beside its peers, interleaved, on one server that is thrown away."""
    if persistence not in PERSISTENCE:
        raise typer.BadParameter(f"--persistence {persistence}: {' or '.join(PERSISTENCE)}")
    effort = QUICK if quick else WHOLE
    plan = Plan(
        _chosen(everyone, only or []),
        _measured(measure or [], quick),
        replace(effort, patience=patience or effort.patience),
        rounds or (1 if quick else 3),
        binary.find(server),
        persistence,
        environments,
    )
    with ExitStack() as stack:
        folder = logs or Path(stack.enter_context(TemporaryDirectory(prefix="msgqueue-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        record = run(plan, folder, Console(stderr=True))
    if as_json:
        as_json.write_text(json.dumps(record.as_json(), indent=1))
    if into_docs and record.complete:
        docs.write(record)
    report.show(record, Console(width=None if sys.stdout.isatty() else PAPER))
    raise typer.Exit(1 if record.faults or not record.complete else 0)


def _chosen(everyone: bool, only: Sequence[str]) -> tuple[Contender, ...]:
    if not only:
        return tuple(one for one in CONTENDERS if everyone or not one.extra)
    begins = tuple(name.lower() for name in only)
    found = tuple(one for one in CONTENDERS if one.name.lower().startswith(begins))
    if not found:
        known = ", ".join(one.name for one in CONTENDERS)
        raise typer.BadParameter(f"no contender begins with {', '.join(only)}: there are {known}")
    return found


def _measured(names: Sequence[str], quick: bool) -> tuple[Measurement, ...]:
    if unknown := set(names) - {one.name for one in MEASUREMENTS}:
        known = ", ".join(one.name for one in MEASUREMENTS)
        raise typer.BadParameter(f"no measurement {', '.join(unknown)}: there are {known}")
    if names:
        return tuple(one for one in MEASUREMENTS if one.name in names)
    return tuple(one for one in MEASUREMENTS if not (quick and one.slow))


if __name__ == "__main__":
    typer.run(main)
