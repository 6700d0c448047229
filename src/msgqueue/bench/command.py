"""The command `msgqueue bench`: interleaved rounds on an embedded server of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from msgqueue.bench.contenders import Contender, msgqueue_workers, rq_pool
from msgqueue.bench.measure import Round, Sizes, measure
from msgqueue.bench.report import Report, machine
from msgqueue.embedded import ensure
from msgqueue.settings import Settings


def bench(
    jobs: Annotated[int, typer.Option(min=100, help="No-op jobs a round.")] = 20_000,
    rq_jobs: Annotated[
        int, typer.Option(min=100, help="The same for rq; its rate does not depend on it.")
    ] = 3_000,
    single: Annotated[int, typer.Option(min=1, help="Jobs enqueued one by one.")] = 2_000,
    idle: Annotated[int, typer.Option(min=2, help="Jobs on an idle queue.")] = 200,
    processes: Annotated[int, typer.Option(min=1, help="Worker processes of each.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, ours and rq's in turn.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure our speed beside rq's, on a server that is started for it and thrown away."""
    with _server() as url:
        ours, peer = msgqueue_workers(f"{url}?db=0", processes), rq_pool(f"{url}?db=1", processes)
        with ours.queue, peer.queue:
            sides = (ours, Sizes(jobs, single, idle)), (peer, Sizes(rq_jobs, single, idle))
            of_ours, of_peer = _rounds(rounds, *sides)
            report = Report(of_ours, of_peer, machine(ours.server(), processes))
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        console = Console()
        console.print(report.as_table())
        console.print(", ".join(f"{name} {value}" for name, value in report.machine.items()))


def _rounds(count: int, *sides: tuple[Contender, Sizes]) -> tuple[list[Round], ...]:
    measured: tuple[list[Round], ...] = tuple([] for _ in sides)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=1.0)
        for number in range(count):
            for (contender, sizes), values in zip(sides, measured, strict=True):
                prefix = f"round {number + 1} of {count}: {contender.name}"

                def show(doing: str, share: float, prefix: str = prefix) -> None:
                    progress.update(bar, description=f"{prefix} {doing}", completed=share)

                values.append(measure(contender, sizes, show))
    return measured


@contextmanager
def _server() -> Iterator[str]:
    """Start the embedded server in a folder of its own, which goes away with it."""
    with TemporaryDirectory(prefix="msgqueue-bench-") as folder:
        server = ensure(replace(Settings.from_environment(), redis_url=None, home=Path(folder)))
        try:
            yield server.url
        finally:
            server.stop()
