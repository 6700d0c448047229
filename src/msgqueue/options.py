"""The options of a job, each checked where it enters."""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, TypedDict

from msgqueue.errors import InvalidOption, UnknownQueue
from msgqueue.jobs import JobOptions, Retry
from msgqueue.store.codec import is_text

LONGEST: Final = 3_153_600_000
"""Seconds, a hundred years, that a delay, a limit or a time to live may take."""
MOST_PAUSES: Final = 1_000
"""Repeats with a pause before each: all of them are written into the job."""

ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")

RQ_HABITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "job_timeout": "timeout",
        "timeout": "timeout",
        "result_ttl": "result_ttl",
        "failure_ttl": "failure_ttl",
        "description": "description",
        "job_id": "job_id",
        "at_front": "front",
        "meta": "meta",
        "retry": "retry",
        "unique": "unique",
    }
)
"""Options that rq takes among a function's own keyword arguments, and ours for each."""


class Options(TypedDict, total=False):
    """What `@queue.task(...)` and `task.options(...)` take; `JobOptions` says what each means."""

    queue: str | None
    job_id: str | None
    delay: float | None
    at: datetime | None
    timeout: float | None
    retry: Retry | None
    result_ttl: float | None
    failure_ttl: float | None
    unique: bool
    front: bool
    meta: Mapping[str, Any] | None
    description: str | None
    max_deliveries: int | None


def merged(options: JobOptions, changes: Mapping[str, Any], queues: Collection[str]) -> JobOptions:
    """The options with some of them changed.

    Raises:
        InvalidOption: one is unknown, out of range, or excludes another.
        UnknownQueue: a queue that is none of `queues`.
    """
    checked = {name: _checked(name, value) for name, value in changes.items()}
    options = replace(options, **checked)
    if options.delay is not None and options.at is not None:
        raise InvalidOption("at", options.at, "delay and at exclude each other: set one to None")
    if options.queue is not None and options.queue not in queues:
        raise UnknownQueue(options.queue, queues)
    return options


def _checked(name: str, value: Any) -> Any:
    check = _CHECKS.get(name)
    if check is None:
        close = get_close_matches(RQ_HABITS.get(name, name), _CHECKS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InvalidOption(name, value, f"{hint}The options are {', '.join(_CHECKS)}")
    return None if value is None else check(name, value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not is_text(value):
        raise InvalidOption(name, value, "it is text")
    return value


def _job_id(name: str, value: Any) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise InvalidOption(name, value, "an id is 1 to 128 of letters, digits, '_' and '-'")
    return value


def _number(name: str, value: Any, cure: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidOption(name, value, cure)
    return value


def _delay(name: str, value: Any) -> float:
    cure = f"it is a number of seconds, 0 to {LONGEST:,}"
    seconds = _number(name, value, cure)
    if not 0 <= seconds <= LONGEST:
        raise InvalidOption(name, value, cure)
    return seconds


def _at(name: str, value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidOption(name, value, "it is an aware datetime: datetime.now(UTC) + ...")
    return value


def _timeout(name: str, value: Any) -> int:
    cure = f"it is a number of seconds over 0, {LONGEST:,} at most, or -1 for no limit"
    seconds = _number(name, value, cure)
    if not 0 < seconds <= LONGEST and seconds != -1:
        raise InvalidOption(name, value, cure)
    return math.ceil(seconds)


def _ttl(name: str, value: Any) -> int:
    cure = f"it is a number of seconds, 0 to {LONGEST:,}, or -1 for ever"
    seconds = _number(name, value, cure)
    if not 0 <= seconds <= LONGEST and seconds != -1:
        raise InvalidOption(name, value, cure)
    return math.ceil(seconds)


def _retry(name: str, value: Any) -> Retry:
    if not isinstance(value, Retry):
        raise InvalidOption(name, value, "it is a Retry: Retry(max=3, backoff=2.0)")
    if type(value.max) is not int or value.max < 1:
        raise InvalidOption(name, value, "max is a whole number, 1 or more")
    if _number(name, value.backoff, "backoff is a number of seconds, 0 or more") < 0:
        raise InvalidOption(name, value, "backoff is a number of seconds, 0 or more")
    if value.backoff and value.max > MOST_PAUSES:
        raise InvalidOption(name, value, f"with a backoff, max is {MOST_PAUSES:,} at most")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidOption(name, value, "it is True or False")
    return value


def _meta(name: str, value: Any) -> Mapping[str, Any]:
    cure = "it is a JSON object: a dict of JSON's own types with text as keys"
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidOption(name, value, cure)
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidOption(name, value, f"{cure}: {error}") from None
    return value


def _max_deliveries(name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise InvalidOption(name, value, "it is a whole number, 1 or more")
    return value


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = MappingProxyType(
    {
        "queue": _text,
        "job_id": _job_id,
        "delay": _delay,
        "at": _at,
        "timeout": _timeout,
        "retry": _retry,
        "result_ttl": _ttl,
        "failure_ttl": _ttl,
        "unique": _flag,
        "front": _flag,
        "meta": _meta,
        "description": _text,
        "max_deliveries": _max_deliveries,
    }
)
