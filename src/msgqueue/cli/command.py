"""The command `msgqueue`: runs workers, enqueues, shows, cancels and retries jobs."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from msgqueue.bench.command import bench
from msgqueue.cli.damaged import damaged
from msgqueue.cli.jobs import cancel, enqueue, job, jobs, retry
from msgqueue.cli.overview import queues, workers
from msgqueue.cli.worker import worker
from msgqueue.errors import ConfigurationError, InvalidJob, MsgqueueError

app = typer.Typer(
    help="Durable background jobs on Redis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (bench, worker, enqueue, job, jobs, cancel, retry, queues, workers, damaged):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"msgqueue {version('msgqueue')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command; an error of ours is one line on standard error."""
    try:
        app()
    except MsgqueueError as error:
        typer.echo(f"msgqueue: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigurationError | InvalidJob) else 1)
