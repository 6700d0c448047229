"""What commands take: where the TaskQueue is, whose jobs, and values of arguments."""

import json
from typing import Annotated, Any

import typer

from msgqueue import apps
from msgqueue.errors import ConfigurationError
from msgqueue.queue import TaskQueue
from msgqueue.store import steps

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


def queue_of(reference: str | None, url: str | None) -> TaskQueue:
    """The app's TaskQueue, or one over all queues that this Redis knows.

    Raises:
        ConfigurationError: both ways were given, or one leads to none.
    """
    if reference is not None and url is not None:
        raise ConfigurationError("--app and --url exclude each other: give one of them")
    if reference is not None:
        return apps.load(reference)
    found = TaskQueue(url).store.run(steps.queues())
    return TaskQueue(url, queues=found) if found else TaskQueue(url)


def value_of(text: str) -> Any:
    """A value from the command line: JSON where it is, else text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def argument_of(text: str) -> tuple[str, Any]:
    """A name and its value, of NAME=VALUE.

    Raises:
        ConfigurationError: it is none.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ConfigurationError(f"--kwarg {text!r} is no NAME=VALUE")
    return name, value_of(value)
