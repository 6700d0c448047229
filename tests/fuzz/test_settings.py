"""The environment, options and texts of a command line: taken, or refused with a cure."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.effort import fuzzed
from tests.fuzz.strategies import any_text, can_be_sent, json_values, loose_json, system_text

from msgqueue.cli import arguments
from msgqueue.errors import ConfigurationError, InvalidOption, UnknownQueue
from msgqueue.jobs import JobOptions, JobSpec, Retry
from msgqueue.options import merged
from msgqueue.settings import Settings
from msgqueue.store import steps
from msgqueue.worker import order, scaling

NAMES = (
    *("MSGQUEUE_REDIS_URL", "MSGQUEUE_REDIS_PASSWORD", "MSGQUEUE_REDIS_PASSWORD_FILE"),
    *("MSGQUEUE_API_KEYS", "MSGQUEUE_API_KEYS_FILE", "MSGQUEUE_HOME", "MSGQUEUE_REDIS_SERVER"),
    *("MSGQUEUE_LOG", "MSGQUEUE_LOG_LEVEL"),
)
SECRETS = {"MSGQUEUE_REDIS_PASSWORD", "MSGQUEUE_API_KEYS", "MSGQUEUE_REDIS_URL"}
variables = system_text | st.sampled_from(
    ("json", "TEXT", "debug", "~", "~nobody-here/x", "/", ".", __file__, "/dev/null")
)
environments = st.dictionaries(st.sampled_from(NAMES), variables, max_size=4)


@fuzzed(200)
@given(environ=environments)
def test_an_environment_is_read_or_a_mistake_in_configuration(environ: Mapping[str, str]) -> None:
    with suppress(ConfigurationError):
        assert isinstance(Settings.from_environment(environ).home, Path)


@fuzzed(100)
@given(environ=environments)
def test_no_error_of_an_environment_quotes_a_secret(environ: Mapping[str, str]) -> None:
    secrets = {name: f"s3cr3t-{name}" for name in SECRETS & environ.keys()}
    try:
        told = repr(Settings.from_environment({**environ, **secrets}))
    except ConfigurationError as error:
        told = str(error)

    assert "s3cr3t" not in told


numbers = st.floats() | st.integers(-(10**40), 10**40) | st.booleans()
moments = st.datetimes(timezones=st.none() | st.sampled_from((UTC, timezone(timedelta(hours=-23)))))
retries = st.builds(Retry, numbers | any_text, numbers) | st.builds(
    Retry, st.integers(-1, 5_000), st.floats(0, 1e300)
)
option_values: dict[str, st.SearchStrategy[Any]] = {
    "queue": st.sampled_from(("default", "nope")) | any_text,
    "job_id": st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True) | any_text,
    "delay": numbers,
    "at": moments,
    "timeout": numbers,
    "retry": retries,
    "result_ttl": numbers,
    "failure_ttl": numbers,
    "unique": numbers,
    "front": numbers,
    "meta": json_values | st.dictionaries(any_text, st.floats() | any_text, max_size=2),
    "description": any_text,
    "max_deliveries": numbers,
    "timout": numbers,
}
options = st.lists(st.sampled_from(sorted(option_values)), max_size=2).flatmap(
    lambda names: st.fixed_dictionaries({name: option_values[name] for name in names})
)


def spec_of(made: JobOptions) -> JobSpec:
    """The job that a task of these options makes, as far as numbers and texts go."""
    due = made.at.timestamp() if made.at else None
    timeout = int(made.timeout or 180)
    rest = made.result_ttl, made.failure_ttl, made.retry, b"{}", made.max_deliveries
    told = made.description or "f()"
    return JobSpec("a", b"[]", told, datetime.now(UTC), "f", "default", timeout, *rest, due=due)


@fuzzed(400)
@given(changes=options)
def test_options_that_were_taken_can_be_written(changes: dict[str, Any]) -> None:
    with suppress(InvalidOption, UnknownQueue):
        made = merged(JobOptions(), changes, ("default",))
        check_writable(made)


def check_writable(made: JobOptions) -> None:
    for argument in steps.enqueue([spec_of(made)]).args:
        assert isinstance(argument, bytes | int | float) or can_be_sent(argument)
    for ttl in (made.result_ttl, made.failure_ttl, made.timeout):
        assert ttl is None or -1 <= ttl <= 1 << 53  # Lua's whole numbers


long_number = st.sampled_from(("9" * 5_000, f"a:{'9' * 5_000}"))


@fuzzed(200)
@given(text=any_text | st.from_regex(r"\d{1,5}(-\d{1,5})?", fullmatch=True) | long_number)
def test_a_number_of_processes_is_read_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        assert scaling.bounds_of(scaling.parse(text)).low >= 1


@fuzzed(200)
@given(
    text=any_text | st.from_regex(r"([a-z]{1,3}(:\d{1,4})?,?){1,4}") | st.just(f"a:{'9' * 5_000}")
)
def test_queues_are_read_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        named = order.parse(text, ("default",))
        assert isinstance(named, list) or order.check_weights(named)


@fuzzed(200)
@given(text=any_text | loose_json | long_number, name=any_text)
def test_an_argument_is_a_value_or_text(text: str, name: str) -> None:
    value = arguments.value_of(text)
    with suppress(ConfigurationError):
        named = arguments.argument_of(f"{name}={text}")
        assert named[0] != name or repr(named[1]) == repr(value)
