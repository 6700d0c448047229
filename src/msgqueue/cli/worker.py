"""The command `msgqueue worker`."""

from typing import Annotated

import typer

from msgqueue import apps
from msgqueue.cli.arguments import App
from msgqueue.observe import logs
from msgqueue.settings import Settings
from msgqueue.worker import order, scaling
from msgqueue.worker.supervisor import Supervisor


def worker(
    reference: App,
    processes: Annotated[
        str, typer.Option("--processes", "-p", help="Child processes: 4; or by the load: 2-8")
    ] = "1",
    queues: Annotated[
        str | None,
        typer.Option(help="Only these, in this order: high,default; or weighted: high:5,default:1"),
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Coroutines a process runs at once.")] = 100,
    max_jobs: Annotated[
        int | None, typer.Option(help="Jobs a process runs before a new one takes its place.")
    ] = None,
    max_memory: Annotated[
        float | None, typer.Option(metavar="MIB", help="Memory that a process may take, in MiB.")
    ] = None,
    burst: Annotated[bool, typer.Option("--burst", help="End when the queues are empty.")] = False,
    wait_target: Annotated[
        float, typer.Option(help="Seconds a job may wait before a range brings more processes.")
    ] = scaling.WAIT_TARGET,
) -> None:
    """Run the jobs of a TaskQueue until SIGTERM or Ctrl-C."""
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level)
    queue = apps.load(reference)
    supervisor = Supervisor(
        queue,
        scaling.parse(processes),
        queues=order.parse(queues, queue.names) if queues else None,
        concurrency=concurrency,
        max_jobs=max_jobs,
        max_memory=max_memory,
        burst=burst,
        wait_target=wait_target,
    )
    raise typer.Exit(supervisor.run())
