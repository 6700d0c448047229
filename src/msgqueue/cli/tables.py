"""Jobs, queues and workers for the terminal: as tidy tables, and as JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table

from msgqueue.jobs import JobInfo, JobStatus, Page, StoredResult
from msgqueue.store.messages import WorkerInfo
from msgqueue.store.steps import COUNTED

NEVER_CUT = 10_000  # characters a line, where the output goes into a file or a pipe


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False))


def tell(statuses: Mapping[str, str], as_json: bool) -> None:
    """Print what became of each job."""
    if as_json:
        show_json(statuses)
    else:
        for job_id, status in statuses.items():
            typer.echo(f"{job_id} {status}")


def show_jobs(page: Page[JobInfo]) -> None:
    """Print a page of jobs, and how to see the next one."""
    if not page.items:
        typer.echo("no jobs")
        return
    rows = [
        (job.id, job.task, job.queue, job.status.value, ago(_newest(job)), _error(job))
        for job in page.items
    ]
    show_table(("job", "task", "queue", "status", "since", "error"), rows)
    if page.next_cursor is not None:
        typer.echo(f"more: --cursor {page.next_cursor}")


def show_job(job: JobInfo, result: StoredResult | None) -> None:
    """Print all that is known of one job."""
    facts: dict[str, Any] = {
        "job": job.id,
        "task": job.task,
        "call": job.description,
        "queue": job.queue,
        "status": job.status.value,
        "attempt": job.attempt or None,
        "created": _moment(job.created_at),
        "due": _moment(job.due),
        "started": _moment(job.started_at),
        "ended": _moment(job.ended_at),
        "worker": job.worker,
        "meta": json.dumps(job.meta, ensure_ascii=False) if job.meta else None,
        "result": result_text(result),
    }
    show_table(("", ""), [(name, value) for name, value in facts.items() if value], header=False)
    if result is not None and result.traceback:
        typer.echo(result.traceback.rstrip())


def show_queues(counts: Mapping[str, Mapping[JobStatus, int]]) -> None:
    """Print how many jobs each queue has in each status."""
    if not counts:
        typer.echo("no queues")
        return
    rows = [(name, *(at[status] for status in COUNTED)) for name, at in counts.items()]
    show_table(("queue", *(status.value for status in COUNTED)), rows)


def show_workers(workers: Sequence[WorkerInfo]) -> None:
    """Print the registered workers, ours and plain rq's."""
    if not workers:
        typer.echo("no workers")
        return
    rows = [
        (
            worker.name,
            worker.fields.get("state", "?"),
            worker.fields.get("queues", ""),
            f"{worker.fields.get('hostname', '?')}:{worker.fields.get('pid', '?')}",
            worker.fields.get("successful_job_count", "0"),
            worker.fields.get("failed_job_count", "0"),
        )
        for worker in workers
    ]
    show_table(("worker", "state", "queues", "process", "finished", "failed"), rows)


def result_text(result: StoredResult | None) -> str | None:
    """A result as JSON text; what is pickled is never read."""
    if result is None or result.kind != "ok":
        return None
    if not result.value:
        return "null"
    try:
        return json.dumps(json.loads(result.value), ensure_ascii=False)
    except (ValueError, RecursionError):
        return f"<{len(result.value)} bytes that are no JSON>"


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, header: bool = True
) -> None:
    """Print rows; no cell is cut where the output goes into a file or a pipe."""
    table = Table(box=None, show_header=header, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = NEVER_CUT
    console.print(table)


def _newest(job: JobInfo) -> datetime | None:
    return job.ended_at or job.started_at or job.enqueued_at or job.created_at


def _error(job: JobInfo) -> str:
    if job.error is None:
        return ""
    first_line = job.error.message.partition("\n")[0]
    return f"{job.error.type}: {first_line}" if first_line else job.error.type


def _moment(moment: datetime | None) -> str | None:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S} ({ago(moment)})" if moment else None


def ago(moment: datetime | None) -> str:
    """How long ago a moment was, or in how long it comes; "" for none."""
    if moment is None:
        return ""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 0:
        return f"in {_span(-seconds)}"
    return f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
