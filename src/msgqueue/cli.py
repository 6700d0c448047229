"""The command `msgqueue`: runs workers, enqueues, shows, cancels and retries jobs."""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer

from msgqueue import apps, tables
from msgqueue.bench.command import bench
from msgqueue.errors import (
    ConfigurationError,
    InvalidJob,
    JobNotFound,
    MsgqueueError,
    UnknownTask,
)
from msgqueue.jobs import JobStatus
from msgqueue.observe import logs
from msgqueue.queue import TaskQueue
from msgqueue.settings import Settings
from msgqueue.store import damage, steps
from msgqueue.store.codec import now_text
from msgqueue.worker import order, scaling
from msgqueue.worker.supervisor import run

app = typer.Typer(
    help="Durable background jobs on Redis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(bench)

App = Annotated[str, typer.Argument(metavar="MODULE:QUEUE", help="Where the TaskQueue is.")]
MaybeApp = Annotated[
    str | None,
    typer.Option("--app", metavar="MODULE:QUEUE", help="Where the TaskQueue is, instead of a url."),
]
Url = Annotated[
    str | None, typer.Option(help="Redis; default: MSGQUEUE_REDIS_URL, else the embedded server.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ids = Annotated[list[str], typer.Argument(metavar="JOB_ID...")]

#: Why a job that was to be set right was not, by the outcome.
UNDONE: Final = {
    "missing": "not among the jobs that were set aside: {}. See all of them: msgqueue damaged",
    "replaced": "not put back: {}, whose id another job has by now",
    "unfit": "not put back: {}, which is no hash that names a queue and a call",
}


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


@app.command()
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
    raise typer.Exit(
        run(
            queue,
            processes=scaling.parse(processes),
            queues=order.parse(queues, queue.names) if queues else None,
            concurrency=concurrency,
            max_jobs=max_jobs,
            max_memory=max_memory,
            burst=burst,
            wait_target=wait_target,
        )
    )


@app.command()
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
        if task not in task_queue.tasks:
            raise UnknownTask(task, task_queue.tasks)
        bound = task_queue.tasks[task].options(**given)
        args = [_value(text) for text in arguments or ()]
        job = bound.enqueue(*args, **dict(map(_named, named or ())))
    if as_json:
        tables.show_json({"job_id": job.id, "status": job.status})
    else:
        typer.echo(job.id)


@app.command()
def job(job_id: str, reference: MaybeApp = None, url: Url = None, as_json: AsJson = False) -> None:
    """Show one job, with its result or its traceback."""
    with _queue(reference, url) as task_queue:
        stored = task_queue.store.run(steps.read(job_id))
        if stored is None:
            raise JobNotFound(job_id, task_queue.source.address)
    if as_json:
        text = tables.result_text(stored.result)
        tables.show_json({"job": stored.info, "result": text and _value(text)})
    else:
        tables.show_job(stored.info, stored.result)


@app.command()
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
    with _queue(reference, url) as task_queue:
        page = task_queue.jobs(status, queue=queue, limit=limit, cursor=cursor)
    (tables.show_json if as_json else tables.show_jobs)(page)


@app.command()
def cancel(
    job_ids: Ids, reference: MaybeApp = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Cancel jobs, or stop them where they run; prints the status each is left in."""
    with _queue(reference, url) as task_queue:
        _tell({job_id: task_queue.cancel(job_id) for job_id in job_ids}, as_json)


@app.command()
def retry(
    job_ids: Ids, reference: MaybeApp = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Put jobs that have ended back into their queues."""
    with _queue(reference, url) as task_queue:
        _tell({job_id: task_queue.retry(job_id).status for job_id in job_ids}, as_json)


@app.command()
def queues(reference: MaybeApp = None, url: Url = None, as_json: AsJson = False) -> None:
    """Count the jobs of each queue."""
    with _queue(reference, url) as task_queue:
        counts = task_queue.store.run(steps.counts(task_queue.names))
        aside = task_queue.store.run(damage.damaged(0)).total
    (tables.show_json if as_json else tables.show_queues)(counts)
    if aside and not as_json:
        typer.echo(f"set aside, since they cannot be read: {aside}. See: msgqueue damaged")


@app.command()
def workers(reference: MaybeApp = None, url: Url = None, as_json: AsJson = False) -> None:
    """List the registered workers."""
    with _queue(reference, url) as task_queue:
        found = task_queue.store.run(steps.workers())
    if as_json:
        tables.show_json([{"name": one.name, **one.fields} for one in found])
    else:
        tables.show_workers(found)


@app.command()
def damaged(
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="[JOB_ID...]")] = None,
    requeue: Annotated[
        bool, typer.Option("--requeue", help="Put them back into their queues, once mended.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them for good.")] = False,
    limit: Annotated[int, typer.Option(help="How many to list, the newest first.")] = 20,
    reference: MaybeApp = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs that were set aside since they could not be read, or show some whole."""
    if requeue and delete:
        raise ConfigurationError("--requeue and --delete exclude each other: give one of them")
    if (requeue or delete) and not job_ids:
        raise ConfigurationError("--requeue and --delete need the ids of the jobs")
    with _queue(reference, url) as task_queue:
        store = task_queue.store
        if not job_ids:
            found = store.run(damage.damaged(limit))
            (tables.show_json if as_json else tables.show_damages)(found)
        elif requeue:
            now = now_text()
            restored = {name: store.run(damage.restore(name, now)) for name in job_ids}
            _tell(restored, as_json)
            _fail_for(restored)
        elif delete:
            gone = {True: "deleted", False: "missing"}
            deleted = {name: gone[store.run(damage.discard(name))] for name in job_ids}
            _tell(deleted, as_json)
            _fail_for(deleted)
        else:
            shown = {name: store.run(damage.remains(name)) for name in job_ids}
            (tables.show_json if as_json else tables.show_remains)(tables.readable(shown))
            _fail_for({name: "shown" if one else "missing" for name, one in shown.items()})


def _fail_for(outcomes: Mapping[str, str]) -> None:
    """Say which jobs could not be dealt with, and why."""
    told = [
        why.format(", ".join(name for name, outcome in outcomes.items() if outcome == word))
        for word, why in UNDONE.items()
        if word in outcomes.values()
    ]
    if told:
        raise MsgqueueError("; ".join(told))


def _queue(reference: str | None, url: str | None) -> TaskQueue:
    """The app's TaskQueue, or one over all queues that this Redis knows."""
    if reference is not None and url is not None:
        raise ConfigurationError("--app and --url exclude each other: give one of them")
    if reference is not None:
        return apps.load(reference)
    found = TaskQueue(url).store.run(steps.queues())
    return TaskQueue(url, queues=found) if found else TaskQueue(url)


def _value(text: str) -> Any:
    """A value from the command line: JSON where it is, else text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _named(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ConfigurationError(f"--kwarg {text!r} is no NAME=VALUE")
    return name, _value(value)


def _tell(statuses: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        tables.show_json(statuses)
    else:
        for job_id, status in statuses.items():
            typer.echo(f"{job_id} {status}")


def main() -> None:
    """Run the command; an error of ours is one line on standard error."""
    try:
        app()
    except MsgqueueError as error:
        typer.echo(f"msgqueue: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigurationError | InvalidJob) else 1)


if __name__ == "__main__":
    main()
