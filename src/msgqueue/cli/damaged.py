"""The command `msgqueue damaged`: lists, shows, mends or deletes what could not be read."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from msgqueue.cli.arguments import AsJson, MaybeApp, Url, queue_of
from msgqueue.cli.tables import ago, show_json, show_table, tell
from msgqueue.errors import ConfigurationError, MsgqueueError
from msgqueue.store import steps
from msgqueue.store.codec import now_text
from msgqueue.store.messages import Damages, Remains
from msgqueue.store.run import Store

#: Why a job that was to be set right was not, by the outcome.
UNDONE: Final = {
    "missing": "not among the jobs that were set aside: {}. See all of them: msgqueue damaged",
    "replaced": "not put back: {}, whose id another job has by now",
    "unfit": "not put back: {}, which is no hash that names a queue and a call",
}


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
    with queue_of(reference, url) as task_queue:
        store = task_queue.store
        if not job_ids:
            (show_json if as_json else _show_damages)(store.run(steps.damaged(limit)))
        elif requeue or delete:
            outcomes = (_restored if requeue else _deleted)(store, job_ids)
            tell(outcomes, as_json)
            _fail_for(outcomes)
        else:
            shown = {name: _readable(store.run(steps.remains(name))) for name in job_ids}
            (show_json if as_json else _show_remains)(shown)
            _fail_for({name: "shown" if one else "missing" for name, one in shown.items()})


def _restored(store: Store, job_ids: Sequence[str]) -> dict[str, str]:
    return {name: store.run(steps.restore(name, now_text())) for name in job_ids}


def _deleted(store: Store, job_ids: Sequence[str]) -> dict[str, str]:
    gone = {True: "deleted", False: "missing"}
    return {name: gone[store.run(steps.discard(name))] for name in job_ids}


def _fail_for(outcomes: Mapping[str, str]) -> None:
    """Say which jobs could not be dealt with, and why."""
    told = [
        why.format(", ".join(name for name, outcome in outcomes.items() if outcome == word))
        for word, why in UNDONE.items()
        if word in outcomes.values()
    ]
    if told:
        raise MsgqueueError("; ".join(told))


def _readable(one: Remains | None) -> dict[str, Any] | None:
    """What was set aside as text: bytes that are no plain text are escaped as Python does."""
    if one is None:
        return None
    texts = [_escaped(value) for value in one.raw]
    pairs = dict(zip(texts[::2], texts[1::2], strict=True)) if one.type == "hash" else texts
    return {"at": one.damage.at, "reason": one.damage.reason, "type": one.type, "raw": pairs}


def _escaped(raw: bytes) -> str:
    return repr(raw)[2:-1]


def _show_damages(damages: Damages) -> None:
    """Print what was set aside."""
    if not damages.total:
        typer.echo("no damaged jobs")
        return
    rows = [(one.id, ago(one.at), one.reason.partition("\n")[0]) for one in damages.newest]
    show_table(("job", "set aside", "reason"), rows)
    if damages.total > len(rows):
        typer.echo(f"{damages.total} in all: --limit {damages.total}")


def _show_remains(remains: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Print what `_readable` gives of some jobs; nothing of one that was not set aside."""
    for name, one in remains.items():
        if one is None:
            continue
        raw = one["raw"]
        rows = raw.items() if isinstance(raw, dict) else [("raw", value) for value in raw]
        facts = [("job", name), ("set aside", ago(one["at"])), ("reason", one["reason"])]
        show_table(("", ""), [*facts, ("type", one["type"]), *rows], header=False)
