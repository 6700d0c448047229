"""Counts the words of every .py file under a folder: python main.py FOLDER [--check]."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from app import Totals, add_up, count_file, queue, totals
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from msgqueue import Job, JobStatus, Supervisor

console = Console()


def main(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Where to look.")],
    processes: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    check: Annotated[bool, typer.Option(help="Count again in this process and compare.")] = False,
) -> None:
    """Count the words of every .py file under FOLDER, one job a file."""
    paths = [str(path.resolve()) for path in sorted(folder.rglob("*.py")) if path.is_file()]
    if not paths:
        raise typer.BadParameter(f"there is no .py file under {folder}")
    with queue, Supervisor(queue, processes=processes):
        began = time.monotonic()
        jobs = queue.enqueue_many(count_file.spec(path) for path in paths)
        done = [job for job in followed(jobs) if job.status is JobStatus.FINISHED]
        result = add_up.enqueue([job.id for job in done]).result()
        seconds = time.monotonic() - began
    report(result, len(jobs) - len(done), seconds)
    if check:
        compare(result, paths)


def followed(jobs: Sequence[Job[dict[str, int]]]) -> Iterable[Job[dict[str, int]]]:
    """Yield each job when it has ended, and draw how far they are."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        for job in progress.track(jobs, description="counting files"):
            while not job.refresh().status.final:
                time.sleep(0.01)
            yield job


def report(result: Totals, failed: int, seconds: float) -> None:
    table = Table("word", "count", title="The top twenty words")
    table.columns[1].justify = "right"
    for word, count in result.top:
        table.add_row(word, f"{count:,}")
    console.print(table)
    console.print(
        f"{result.words:,} words, {result.distinct:,} of them distinct,"
        f" in {result.files:,} files, {seconds:.1f} s"
    )
    if failed:
        console.print(f"{failed:,} files could not be read: msgqueue jobs --status failed")


def compare(result: Totals, paths: Iterable[str]) -> None:
    """Count again without any queue; end with 1 when the two differ."""
    words: Counter[str] = Counter()
    files = 0
    for path in paths:
        try:
            words.update(count_file(path))
        except OSError:
            continue
        files += 1
    if totals(files, words) != result:
        console.print("a plain count in one process gives OTHER totals")
        raise typer.Exit(1)
    console.print("a plain count in one process gives the same totals")


if __name__ == "__main__":
    typer.run(main)
