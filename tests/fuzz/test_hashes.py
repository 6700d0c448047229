"""A job's hash and its results as Redis gives them: read, or refused as damaged."""

import base64
import json
import zlib
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json
from tests.fuzz.effort import fuzzed
from tests.fuzz.strategies import any_text, can_be_sent, damaged, json_values, raw_bytes

from msgqueue.errors import DamagedJob
from msgqueue.jobs import JobInfo, JobStatus, StoredResult
from msgqueue.store import steps
from msgqueue.store.codec import (
    INFO_FIELDS,
    LONGEST_TRACE,
    error_of,
    job_info,
    moment_texts,
    pack_traceback,
    pack_value,
    parse_time,
    stored_result,
    time_text,
    unpack_call,
)
from msgqueue.store.messages import Standing

moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - timezones= adds it
statuses = st.sampled_from([*JobStatus, "ready_to_enqueue", "rate_limited", "created"])
texts = st.text(max_size=12).map(str.encode)
values_of = {
    "status": statuses.map(str.encode),
    "meta": json_values.map(lambda value: json.dumps({"note": value}).encode()),
    **{name: moments.map(time_text).map(str.encode) for name in INFO_FIELDS if "_at" in name},
    **{name: st.integers(0, 99).map(b"%d".__mod__) for name in INFO_FIELDS if "mq_" in name},
}
hashes = st.tuples(*(st.none() | damaged(values_of.get(name, texts)) for name in INFO_FIELDS))
entries = st.fixed_dictionaries(
    {b"type": damaged(st.sampled_from((b"1", b"2", b"3", b"4", b"5")))},
    optional={
        b"return_value": damaged(texts.map(pack_value)),
        b"exc_string": damaged(texts.map(pack_traceback)),
        b"worker_name": raw_bytes,
    },
).map(lambda fields: [part for field in fields.items() for part in field])


@fuzzed(150)
@given(job_id=any_text, values=hashes)
def test_a_hash_is_read_or_damaged(job_id: str, values: tuple[bytes | None, ...]) -> None:
    with suppress(DamagedJob):
        info = job_info(job_id, values)
        assert isinstance(info, JobInfo)
        assert info.attempt >= 0
        assert can_be_sent(info.task, info.queue, info.description, info.worker or "")
        assert to_json(info.meta)


@fuzzed(150)
@given(entry=entries)
def test_a_result_is_read_or_refused(entry: list[bytes]) -> None:
    with suppress(ValueError):
        result = stored_result(entry)
        assert isinstance(result, StoredResult)
        assert len(result.traceback) <= LONGEST_TRACE
        assert can_be_sent(result.traceback)


def test_a_failure_that_was_packed_to_a_thousandth_is_cut() -> None:
    bomb = base64.b64encode(zlib.compress(b"a" * (1 << 26)))

    result = stored_result([b"type", b"2", b"exc_string", bomb])

    assert result.traceback == "a" * LONGEST_TRACE


@fuzzed(100)
@given(entry=entries, values=hashes)
def test_the_answers_of_scripts_that_read_are_read(
    entry: list[bytes], values: tuple[bytes | None, ...]
) -> None:
    rows = steps.page("q", JobStatus.FAILED, 5).decode([[b"a", b"1.5", values, entry]])
    assert len(rows.rows) <= 1
    (result,) = steps.results(["a"]).decode([entry])
    assert result is None or isinstance(result, StoredResult)
    (standing,) = steps.standings(["a"]).decode([[values[0], [b"1-1", entry], None, values[1]]])
    assert isinstance(standing, Standing | DamagedJob)


@fuzzed(100)
@given(status=damaged(statuses.map(str.encode)))
def test_what_a_job_is_in_is_told_or_damaged(status: bytes) -> None:
    for step, answer in (
        (steps.requeue("a", "now"), [b"refused", status]),
        (steps.cancel("a", "now"), [b"final", status]),
    ):
        with suppress(DamagedJob):
            assert isinstance(step.decode(answer).status, JobStatus)


@fuzzed(100)
@given(data=damaged(json_values.map(json.dumps).map(str.encode).map(zlib.compress)))
def test_a_call_is_unpacked_or_left_as_it_is(data: bytes) -> None:
    assert isinstance(unpack_call(data), bytes)


@fuzzed(100)
@given(data=raw_bytes)
def test_a_call_comes_back_as_it_was_packed(data: bytes) -> None:
    assert unpack_call(zlib.compress(data)) == data


@fuzzed(100)
@given(value=st.binary(max_size=200), trace=st.text(max_size=200))
def test_results_come_back_as_they_were_packed(value: bytes, trace: str) -> None:
    ok = stored_result([b"type", b"1", b"return_value", pack_value(value)])
    failed = stored_result([b"type", b"2", b"exc_string", pack_traceback(trace.encode())])
    assert (ok.kind, ok.value) == ("ok", value)
    assert (failed.kind, failed.traceback) == ("failed", trace)


@fuzzed(100)
@given(moment=moments)
def test_a_moment_comes_back_as_it_was_written(moment: datetime) -> None:
    assert parse_time(time_text(moment).encode()) == moment


@fuzzed(100)
@given(seconds=st.floats(0, 1e11))
def test_both_texts_of_a_moment_say_the_same(seconds: float) -> None:
    stream, hashed = moment_texts(seconds)
    moment = parse_time(hashed.encode())
    assert moment is not None
    assert abs(moment.timestamp() - float(stream)) < 1e-3


@fuzzed(100)
@given(
    trace=any_text
    | st.lists(st.sampled_from(('  File "x"', "    y", "E: z", "", ":")), max_size=6).map("\n".join)
)
def test_any_traceback_names_an_error(trace: str) -> None:
    error = error_of(trace)
    assert isinstance(error.type, str)
    assert isinstance(error.message, str)
