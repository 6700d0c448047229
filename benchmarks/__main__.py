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
from benchmarks.server import Persistence
from benchmarks.trial import QUICK, WHOLE
from msgqueue.embedded import binary
from msgqueue.errors import EmbeddedServerError

NAMES = [one.name for one in MEASUREMENTS]
SLOW = [one.name for one in MEASUREMENTS if one.slow]
PAPER = 160
"""Columns of a table that goes to a file."""


def main(
    everyone: Annotated[
        bool, typer.Option("--all", help="Measure Celery, SAQ and arq too.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Measure those alone whose name begins so; repeatable."),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help=f"Take this alone; repeatable: {', '.join(NAMES)}."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help=f"One short round: minutes. Leaves out {', '.join(SLOW)}."),
    ] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Default 3, with --quick 1.")] = None,
    patience: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds of waiting after kill -9; default 20, with --quick 10."),
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="The server's executable; default the embedded one.")
    ] = None,
    persistence: Annotated[
        Persistence, typer.Option(help="What it writes to disk.")
    ] = Persistence.NONE,
    environments: Annotated[
        Path, typer.Option(help="Where the contenders are installed.", show_default=False)
    ] = ROOT / ".nox" / "bench-contenders",
    as_json: Annotated[
        Path | None,
        typer.Option("--json", dir_okay=False, help="Write every value of every round to a file."),
    ] = None,
    into_docs: Annotated[
        bool, typer.Option("--docs", help="Put table and plot into the documentation.")
    ] = False,
    logs: Annotated[Path | None, typer.Option(help="Keep the contenders' output here.")] = None,
) -> None:
    """Measure msgqueue beside its peers, interleaved, on one server that is thrown away."""
    if as_json and not as_json.absolute().parent.is_dir():
        raise typer.BadParameter(f"--json {as_json}: there is no such folder")
    effort = QUICK if quick else WHOLE
    chosen = _chosen(everyone, only or [])
    plan = Plan(
        chosen,
        _measured(measure or [], quick, chosen),
        replace(effort, patience=effort.patience if patience is None else patience),
        rounds or (1 if quick else 3),
        _found(server),
        persistence,
        environments,
    )
    with ExitStack() as stack:
        folder = logs or Path(stack.enter_context(TemporaryDirectory(prefix="msgqueue-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        record = run(plan, folder, Console(stderr=True))
    report.show(record, Console(width=None if sys.stdout.isatty() else PAPER))
    if as_json:
        as_json.write_text(json.dumps(record.as_json(), indent=1))
    if into_docs and record.complete:
        docs.write(record)
    raise typer.Exit(1 if record.faults or not record.complete else 0)


def _found(server: str | None) -> str:
    try:
        return binary.find(server)
    except EmbeddedServerError as error:
        raise typer.BadParameter(str(error)) from error


def _chosen(everyone: bool, only: Sequence[str]) -> tuple[Contender, ...]:
    if not only:
        return tuple(one for one in CONTENDERS if everyone or not one.extra)
    begins = tuple(name.lower() for name in only)
    found = tuple(one for one in CONTENDERS if one.name.lower().startswith(begins))
    if not found:
        known = ", ".join(one.name for one in CONTENDERS)
        raise typer.BadParameter(f"no contender begins with {', '.join(only)}: there are {known}")
    return found


def _measured(
    names: Sequence[str], quick: bool, chosen: Sequence[Contender]
) -> tuple[Measurement, ...]:
    if unknown := set(names) - set(NAMES):
        raise typer.BadParameter(
            f"no measurement {', '.join(unknown)}: there are {', '.join(NAMES)}"
        )
    taken = set(names) or set(NAMES) - set(SLOW if quick else [])
    if not any(taken & one.takes for one in chosen):
        who = ", ".join(one.name for one in chosen)
        raise typer.BadParameter(f"{who}: does not take part in {', '.join(names)}")
    return tuple(one for one in MEASUREMENTS if one.name in taken)


if __name__ == "__main__":
    typer.run(main)
