"""Commands that enqueue, show, list, cancel and retry jobs."""

from typing import Annotated, Any

import typer

from msgqueue import apps
from msgqueue.cli import tables
from msgqueue.cli.arguments import App, AsJson, Ids, MaybeApp, Url, argument_of, queue_of, value_of
from msgqueue.cli.tables import show_json, tell
from msgqueue.errors import JobNotFound
from msgqueue.jobs import JobStatus
from msgqueue.registry import task_named
from msgqueue.store import steps


def enqueue(
    reference: App,
    task: Annotated[str, typer.Argument(help="The task's name.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Its arguments: JSON, or else text.")
    ] = None,
    named: Annotated[
        list[str] | None,
        typer.Option("--kwarg", "-k", metavar="NAME=VALUE", help="An argument by name."),
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Default: the task's.")] = None,
    delay: Annotated[float | None, typer.Option(help="Seconds before it may start.")] = None,
    job_id: Annotated[str | None, typer.Option(help="Default: a random one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Enqueue a call of a task and print the job's id."""
    options: dict[str, Any] = {"queue": queue, "delay": delay, "job_id": job_id}
    given = {name: value for name, value in options.items() if value is not None}
    with apps.load(reference) as task_queue:
        bound = task_named(task_queue.tasks, task).options(**given)
        args = [value_of(text) for text in arguments or ()]
        job = bound.enqueue(*args, **dict(map(argument_of, named or ())))
    if as_json:
        show_json({"job_id": job.id, "status": job.status})
    else:
        typer.echo(job.id)


def job(job_id: str, reference: MaybeApp = None, url: Url = None, as_json: AsJson = False) -> None:
    """Show one job, with its result or its traceback."""
    with queue_of(reference, url) as task_queue:
        stored = task_queue.store.run(steps.read(job_id))
        if stored is None:
            raise JobNotFound(job_id, task_queue.source.address)
    if as_json:
        text = tables.result_text(stored.result)
        show_json({"job": stored.info, "result": text and value_of(text)})
    else:
        tables.show_job(stored.info, stored.result)


def jobs(
    status: JobStatus,
    queue: Annotated[str | None, typer.Option(help="Default: all.")] = None,
    limit: Annotated[int, typer.Option(help="Jobs a page.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    reference: MaybeApp = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a status, newest first."""
    with queue_of(reference, url) as task_queue:
        page = task_queue.jobs(status, queue=queue, limit=limit, cursor=cursor)
    (show_json if as_json else tables.show_jobs)(page)


def cancel(
    job_ids: Ids, reference: MaybeApp = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Cancel jobs, or stop them where they run; prints the status each is left in."""
    with queue_of(reference, url) as task_queue:
        tell({job_id: task_queue.cancel(job_id) for job_id in job_ids}, as_json)


def retry(
    job_ids: Ids, reference: MaybeApp = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Put jobs that have ended back into their queues."""
    with queue_of(reference, url) as task_queue:
        tell({job_id: task_queue.retry(job_id).status for job_id in job_ids}, as_json)
