"""Commands that show what there is in a Redis: queues and workers."""

import typer

from msgqueue.cli import tables
from msgqueue.cli.arguments import AsJson, MaybeApp, Url, queue_of
from msgqueue.cli.tables import show_json
from msgqueue.store import steps


def queues(reference: MaybeApp = None, url: Url = None, as_json: AsJson = False) -> None:
    """Count the jobs of each queue."""
    with queue_of(reference, url) as task_queue:
        counts = task_queue.store.run(steps.counts(task_queue.names))
        aside = task_queue.store.run(steps.damaged(0)).total
    (show_json if as_json else tables.show_queues)(counts)
    if aside and not as_json:
        typer.echo(f"set aside, since they cannot be read: {aside}. See: msgqueue damaged")


def workers(reference: MaybeApp = None, url: Url = None, as_json: AsJson = False) -> None:
    """List the registered workers."""
    with queue_of(reference, url) as task_queue:
        found = task_queue.store.run(steps.workers())
    if as_json:
        show_json([{"name": one.name, **one.fields} for one in found])
    else:
        tables.show_workers(found)
