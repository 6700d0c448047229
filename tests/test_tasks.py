"""Tasks: how a call becomes a job's data, and what is refused before anything is written."""

import json
import math
import pickle
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest
import rq
from hypothesis import given
from hypothesis import strategies as st
from rq.serializers import JSONSerializer
from rq.utils import import_attribute
from tests import shop
from tests.shop import Colour, Line, Order, anything, charge, fetch, files, later, ship

from msgqueue import (
    ConfigurationError,
    DuplicateTask,
    InvalidArguments,
    InvalidOption,
    PayloadTooLarge,
    Retry,
    TaskNotImportable,
    TaskQueue,
    UnknownQueue,
    UnknownTask,
)
from msgqueue.settings import DEFAULT_TIMEOUT

NOW = datetime(2026, 5, 4, 3, 2, 1, 999, tzinfo=UTC)
ORDER = Order(no=5, placed=NOW, lines=[Line(uuid.uuid4(), Decimal("1.10"), {"a", "b"})])


def call_in(data: bytes) -> tuple[Any, ...]:
    path, instance, args, kwargs = JSONSerializer.loads(data)  # type: ignore[no-untyped-call] # rq's
    return path, instance, args, kwargs


# -- What lies in rq's hash


def test_a_call_is_written_as_rqs_json_serializer_writes_it() -> None:
    spec = charge.spec(7, cents=1999)

    call = ("tests.shop.charge", None, (7,), {"cents": 1999})
    assert spec.data == JSONSerializer.dumps(call)  # type: ignore[no-untyped-call] # rq's


def test_an_argument_that_was_left_out_is_not_written() -> None:
    assert call_in(charge.spec(7, cents=5).data)[3] == {"cents": 5}


def test_a_task_of_jsons_own_types_is_written_as_its_functions_path() -> None:
    assert charge.path == "tests.shop.charge"


def test_a_task_of_other_types_is_written_as_its_run_json() -> None:
    assert ship.path == "tests.shop.ship.run_json"


@pytest.mark.parametrize("path", ["tests.shop.charge", "tests.shop.ship.run_json"])
def test_a_plain_rq_worker_can_import_the_path(path: str) -> None:
    assert callable(import_attribute(path))


def test_run_json_takes_what_is_written_and_answers_in_jsons_own_types() -> None:
    path, _, args, kwargs = call_in(ship.spec(ORDER, NOW + timedelta(1), date(2026, 1, 2)).data)

    answer = import_attribute(path)(*args, **kwargs)

    assert ship.decode_result(json.dumps(answer).encode()) == ship(ORDER, NOW + timedelta(1))


@pytest.mark.anyio
async def test_run_json_of_a_coroutine_is_awaited() -> None:
    _, _, args, kwargs = call_in(later.spec(NOW, by=timedelta(hours=1)).data)

    assert await later.run_json(*args, **kwargs) == "2026-05-04T04:02:01.000999Z"


def test_the_defaults_are_filled_in() -> None:
    spec = charge.spec(7, cents=5)

    assert (spec.queue, spec.timeout, spec.task) == ("high", DEFAULT_TIMEOUT, "charge")
    assert str(uuid.UUID(spec.id)) == spec.id
    assert spec.due is None


def test_the_description_is_the_call_with_long_arguments_shortened() -> None:
    spec = anything.spec("x" * 500_000, {"a": 1}, key=None)

    assert spec.description.startswith("tests.shop.anything('xxx")
    assert spec.description.endswith("..., {'a': 1}, key=None)")
    assert len(spec.description) < 200


# -- Arguments


def test_arguments_come_back_as_what_they_were() -> None:
    given_args = (ORDER, NOW, date(2026, 1, 2), date(2026, 1, 3))

    _, _, args, kwargs = call_in(ship.spec(*given_args, colour=Colour.BLUE).data)

    assert ship.decode(args, kwargs) == (given_args, {"colour": Colour.BLUE})


def test_bytes_of_any_kind_come_back() -> None:
    _, _, args, kwargs = call_in(files.spec(b"\xff\x00", b"text", more=b"\xfe").data)

    assert files.decode(args, kwargs) == ((b"\xff\x00", b"text"), {"more": b"\xfe"})


def test_arguments_are_brought_to_their_types_before_they_are_written() -> None:
    assert call_in(charge.spec("7", cents="5").data)[2:] == ([7], {"cents": 5})  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize(
    ("args", "kwargs", "told"),
    [
        ((7,), {}, "cents: Missing required keyword only argument"),
        ((), {"cents": 5}, "order: Missing required argument"),
        (("x",), {"cents": 5}, "order: Input should be a valid integer"),
        ((7, 8), {"cents": 5}, "argument 2: Unexpected positional argument"),
        ((7,), {"cents": 5, "colour": 1}, "colour: Unexpected keyword argument"),
    ],
)
def test_arguments_that_the_signature_refuses_are_refused(
    args: tuple[Any, ...], kwargs: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidArguments) as refused:
        charge.spec(*args, **kwargs)

    assert str(refused.value).startswith(f"task 'charge' does not take these arguments: {told}")


def test_a_problem_inside_of_an_argument_names_its_place() -> None:
    with pytest.raises(InvalidArguments) as refused:
        ship.spec({"no": 1, "placed": NOW, "lines": [{"article": 5}]}, NOW)  # type: ignore[arg-type] # on purpose

    assert refused.value.problems[0]["loc"] == ("order", "lines", 0)


def test_a_problem_in_the_rest_names_the_rest() -> None:
    with pytest.raises(InvalidArguments) as refused:
        ship.spec(ORDER, NOW, NOW.date(), "no date")  # type: ignore[arg-type] # on purpose

    assert refused.value.problems[0]["loc"] == ("rest",)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_no_json_are_refused(value: float) -> None:
    with pytest.raises(InvalidArguments, match="Out of range float values are not JSON compliant"):
        anything.spec(value)


def test_a_value_that_json_lacks_without_a_hint_is_refused_with_the_cure() -> None:
    with pytest.raises(InvalidArguments, match=r"datetime is not JSON.*Annotate the parameter"):
        anything.spec(NOW)


def test_a_value_nested_too_deep_is_refused() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]

    with pytest.raises(InvalidArguments, match="recursion"):
        anything.spec(nested)


def test_arguments_over_the_limit_are_refused_with_the_cure() -> None:
    with pytest.raises(PayloadTooLarge, match=r"the limit is 1,048,576. Store the data elsewhere"):
        anything.spec("x" * 1_048_577)


def test_rqs_habit_of_options_among_the_arguments_is_refused_with_the_cure() -> None:
    with pytest.raises(InvalidOption, match=r"use \.options\(timeout=60\)"):
        charge.enqueue(7, cents=5, job_timeout=60)  # type: ignore[call-arg] # on purpose


def test_an_argument_that_is_named_like_an_option_is_an_argument() -> None:
    assert call_in(anything.spec(1, timeout=60, job_id="x").data)[3] == {
        "timeout": 60,
        "job_id": "x",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(json_values, st.lists(json_values, max_size=3), st.dictionaries(st.text(), json_values))
def test_any_json_round_trips(first: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    kwargs.pop("first", None)

    _, _, read_args, read_kwargs = call_in(anything.spec(first, *args, **kwargs).data)

    assert anything.decode(read_args, read_kwargs) == ((first, *args), kwargs)


lines = st.builds(
    Line,
    article=st.uuids(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    tags=st.sets(st.text(alphabet=st.characters(exclude_categories=["Cs"]))),
)
moments = st.datetimes(timezones=st.just(UTC))
orders = st.builds(Order, no=st.integers(), placed=moments, lines=st.lists(lines, max_size=3))


@given(orders, moments, st.lists(st.dates(), max_size=3), st.sampled_from(Colour))
def test_typed_arguments_and_results_round_trip(
    order: Order, when: datetime, rest: list[date], colour: Colour
) -> None:
    _, _, args, kwargs = call_in(ship.spec(order, when, *rest, colour=colour).data)

    assert ship.decode(args, kwargs) == ((order, when, *rest), {"colour": colour})
    assert ship.decode_result(ship.encode_result(order)) == order


# -- Results


def test_a_result_goes_through_the_return_hint() -> None:
    assert later.decode_result(later.encode_result(NOW)) == NOW


def test_no_bytes_are_the_result_none() -> None:
    assert shop.fails.decode_result(b"") is None


def test_a_result_that_json_lacks_is_an_error() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        shop.returns_a_set.encode_result({1, 2})


def test_a_result_that_is_not_what_the_hint_says_is_an_error() -> None:
    with pytest.raises(TypeError, match="task 'returns_nonsense' returned a str"):
        shop.returns_nonsense.encode_result("no time")


def test_a_result_that_only_has_to_be_converted_is_encoded() -> None:
    encoded = ship.encode_result({"no": 5, "placed": NOW})

    assert ship.decode_result(encoded) == Order(no=5, placed=NOW)


# -- A task is still its function


def test_a_call_runs_the_function() -> None:
    assert charge(7, cents=5) == "7: 5 (none)"


@pytest.mark.anyio
async def test_a_call_of_a_coroutine_function_is_awaited() -> None:
    assert await fetch("abc") == 3


def test_a_task_shows_the_functions_name_and_docstring() -> None:
    assert (charge.__name__, charge.__doc__) == ("charge", "Charge an order.")  # type: ignore[attr-defined] # copied


def test_a_task_is_pickled_by_reference_so_that_rq_can_be_given_it() -> None:
    assert pickle.loads(pickle.dumps(charge)) is charge


# -- Options


def test_options_change_one_call_and_not_the_task() -> None:
    changed = ship.options(timeout=60, front=True)

    assert changed.spec(ORDER, NOW).timeout == 60
    assert ship.spec(ORDER, NOW).timeout == 30
    assert changed.defaults.retry == Retry(max=3, backoff=2.0)


def test_a_delay_is_a_due_time() -> None:
    spec = charge.options(delay=60).spec(7, cents=5)

    assert spec.due == pytest.approx(spec.created_at.timestamp() + 60)


def test_a_time_is_a_due_time() -> None:
    assert charge.options(at=NOW).spec(7, cents=5).due == NOW.timestamp()


@pytest.mark.parametrize(("given", "kept"), [(0.2, 1), (59.1, 60), (60, 60), (-1, -1)])
def test_a_timeout_is_rounded_up_to_whole_seconds(given: float, kept: int) -> None:
    assert charge.options(timeout=given).spec(7, cents=5).timeout == kept


def test_the_pauses_between_repeats_grow_up_to_a_year() -> None:
    assert Retry(max=4, backoff=0.3).intervals() == (1, 1, 2, 3)
    assert Retry(max=1_000, backoff=0.01).intervals()[-1] == 31_536_000


def test_meta_is_written_as_json() -> None:
    assert charge.options(meta={"owner": "ann"}).spec(7, cents=5).meta == b'{"owner": "ann"}'


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timeout": 0}, "timeout=0 cannot be used: it is a number of seconds over 0, "),
        ({"timeout": 1e300}, "3,153,600,000 at most, or -1 for no limit"),
        ({"result_ttl": 10**16}, "it is a number of seconds, 0 to 3,153,600,000"),
        ({"retry": Retry(max=1_001, backoff=1)}, "with a backoff, max is 1,000 at most"),
        ({"timeout": math.nan}, "timeout=nan cannot be used"),
        ({"timeout": True}, "timeout=True cannot be used"),
        ({"timeout": "60"}, "timeout='60' cannot be used"),
        (
            {"result_ttl": -2},
            "result_ttl=-2 cannot be used: it is a number of seconds, 0 to 3,153,600,000",
        ),
        ({"failure_ttl": -2}, "failure_ttl=-2 cannot be used"),
        ({"delay": -1}, "delay=-1 cannot be used: it is a number of seconds, 0 to 3,153,600,000"),
        ({"at": datetime(2026, 1, 1)}, "it is an aware datetime"),  # noqa: DTZ001 - the point
        ({"at": NOW, "delay": 5}, "delay and at exclude each other"),
        ({"job_id": "no/slash"}, "an id is 1 to 128 of letters, digits, '_' and '-'"),
        ({"job_id": "x" * 129}, "an id is 1 to 128"),
        ({"retry": 3}, "retry=3 cannot be used: it is a Retry"),
        ({"retry": Retry(max=0)}, "max is a whole number, 1 or more"),
        ({"retry": Retry(max=1, backoff=-1)}, "backoff is a number of seconds"),
        ({"meta": {1: 2}}, "it is a JSON object"),
        ({"meta": {"at": NOW}}, "it is a JSON object"),
        ({"front": 1}, "front=1 cannot be used: it is True or False"),
        ({"description": 1}, "it is text"),
        ({"description": "\ud800"}, "it is text"),
        ({"max_deliveries": 0}, "it is a whole number, 1 or more"),
        ({"job_timeout": 60}, "job_timeout=60 cannot be used: did you mean 'timeout'?"),
    ],
)
def test_an_option_out_of_range_is_refused_with_the_cure(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidOption) as refused:
        charge.options(**options)

    assert told in str(refused.value)


def test_a_queue_that_the_task_queue_lacks_is_refused_with_the_cure() -> None:
    with pytest.raises(UnknownQueue, match=r"no queue 'low' here: .*Add it: TaskQueue"):
        charge.options(queue="low")


def test_options_of_the_decorator_are_checked_where_it_stands() -> None:
    with pytest.raises(InvalidOption, match="timeout=0"):
        TaskQueue().task(timeout=0)


# -- Which functions can be tasks


def in_module(source: str, tmp_path: Path) -> Callable[[], str]:
    (tmp_path / "defined.py").write_text(textwrap.dedent(source))

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "defined.py"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    return run


def test_a_task_of_the_main_module_is_written_under_its_importable_name(tmp_path: Path) -> None:
    run = in_module(
        """
        from msgqueue import TaskQueue
        queue = TaskQueue()
        @queue.task
        def here(): ...
        print(here.path)
        """,
        tmp_path,
    )

    assert run() == "defined.here\n"


def test_a_spawned_process_names_it_the_same(tmp_path: Path) -> None:
    run = in_module(
        """
        from multiprocessing import get_context
        from msgqueue import TaskQueue
        queue = TaskQueue()
        @queue.task
        def here(): ...
        def tell(): print(here.path)
        if __name__ == "__main__":
            process = get_context("spawn").Process(target=tell)
            process.start()
            process.join()
        """,
        tmp_path,
    )

    assert run() == "defined.here\n"


def test_a_task_of_one_task_queue_may_be_a_task_of_another() -> None:
    task = TaskQueue(queues=("low",)).task(charge)

    assert task.spec(7, cents=5).queue == "low"
    assert task.path == charge.path


def test_a_task_typed_into_a_session_is_refused_with_the_cure() -> None:
    code = "from msgqueue import TaskQueue\ndef f(): ...\nTaskQueue().task(f)"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert "__main__.f: it was typed into an interactive session. Define the task at" in done.stderr


def test_a_function_inside_of_a_function_is_refused() -> None:
    def inner() -> None: ...

    with pytest.raises(TaskNotImportable, match="it is defined inside a function"):
        TaskQueue().task(inner)


def test_a_lambda_is_refused() -> None:
    with pytest.raises(TaskNotImportable, match="it is a lambda"):
        TaskQueue().task(lambda: None)


def test_an_object_without_a_name_is_refused() -> None:
    with pytest.raises(TaskNotImportable, match="it has no name of its own"):
        TaskQueue().task(staticmethod(print).__get__)


def test_two_tasks_of_one_name_are_refused_with_the_cure() -> None:
    queue = TaskQueue()
    queue.task(shop.plain)

    with pytest.raises(DuplicateTask, match=r"Give one of them another name: @queue.task\(name="):
        queue.task(name="plain")(shop.charge.function)


def test_a_name_that_no_path_could_carry_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no task can be named 'a b'"):
        TaskQueue().task(name="a b")(shop.plain)


def test_a_hint_that_cannot_be_resolved_is_told_at_first_use(tmp_path: Path) -> None:
    run = in_module(
        """
        from __future__ import annotations
        from msgqueue import TaskQueue
        queue = TaskQueue()
        @queue.task
        def odd(x: Missing): ...
        odd.spec(1)
        """,
        tmp_path,
    )

    assert "the type hints of task 'odd' cannot be resolved: name 'Missing' is not defined" in run()


class Opaque:
    """Nothing that pydantic knows."""


def takes_opaque(thing: Opaque) -> None: ...


def test_a_hint_that_pydantic_does_not_know_is_told_with_the_cure() -> None:
    task = TaskQueue().task(takes_opaque)

    with pytest.raises(ConfigurationError, match="Use JSON's own types, a dataclass or a pydantic"):
        task.spec(Opaque())


def takes_secret(password: pydantic.SecretStr) -> None: ...


def test_a_secret_is_refused_because_only_stars_would_arrive() -> None:
    task = TaskQueue().task(takes_secret)

    with pytest.raises(InvalidArguments, match="password: a secret is not written into Redis"):
        task.spec(pydantic.SecretStr("hush"))


# -- Which functions may run


def test_a_path_of_a_registered_task_is_resolved_to_it() -> None:
    assert shop.queue.resolve("tests.shop.charge") is charge
    assert shop.queue.resolve("tests.shop.ship.run_json") is ship


@pytest.mark.parametrize("path", ["tests.shop.plain", "os.system", "builtins.eval", "charge", ""])
def test_a_path_of_anything_else_is_refused(path: str) -> None:
    with pytest.raises(UnknownTask):
        shop.queue.resolve(path)


def test_a_function_of_a_trusted_module_runs_with_its_arguments_as_they_are() -> None:
    queue = TaskQueue(trusted_modules=("tests.shop",))

    task = queue.resolve("tests.shop.plain")

    assert task.decode(["not checked"], {}) == (("not checked",), {})
    assert task.function is shop.plain


@pytest.mark.parametrize(
    "path", ["tests.shop.datetime", "tests.shop.uuid.uuid4", "tests.shop.none"]
)
def test_what_a_trusted_module_only_imports_is_refused(path: str) -> None:
    with pytest.raises(UnknownTask):
        TaskQueue(trusted_modules=("tests.shop",)).resolve(path)


# -- Pickle, where it was chosen


def test_with_pickle_the_values_themselves_are_written() -> None:
    queue = TaskQueue(serializer="pickle")
    task = queue.task(ship.function)

    path, instance, args, kwargs = pickle.loads(task.spec(ORDER, NOW).data)

    assert (path, instance, args, kwargs) == ("tests.shop.ship", None, (ORDER, NOW), {})
    assert task.decode_result(task.encode_result(ORDER)) == ORDER


def test_an_unknown_serializer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="serializer='yaml' is unknown: use 'json'"):
        TaskQueue(serializer="yaml")  # type: ignore[arg-type] # on purpose


def test_the_versions_of_rq_are_those_we_write_for() -> None:
    assert rq.__version__.startswith(("2.12", "3."))
