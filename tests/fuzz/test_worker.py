"""What a worker hears and reads: claims, rq's commands, calls, and its children's shared memory."""

import json
import math
import multiprocessing
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.effort import fuzzed
from tests.fuzz.strategies import any_text, can_be_sent, damaged, json_values, loose_json, raw_bytes
from tests.shop import queue

from msgqueue.jobs import Claimed
from msgqueue.store import steps
from msgqueue.store.signals import INVALIDATED, Signal, _signal
from msgqueue.tasks import Task
from msgqueue.worker.account import JournalReader
from msgqueue.worker.endings import Ending, failure
from msgqueue.worker.execution import Call, Execution
from msgqueue.worker.journal import SLOTS, STATES_AT, Journal, JournalWriter, State, names_fit
from msgqueue.worker.limits import TimeLimit

calls = st.tuples(
    st.sampled_from(("tests.shop.charge", "os.system", "builtins.eval", "__call__", "x"))
    | any_text,
    json_values,
    st.lists(json_values, max_size=2) | json_values,
    st.dictionaries(st.text(max_size=5), json_values, max_size=2) | json_values,
)
envelopes = damaged(calls.map(json.dumps).map(str.encode)) | loose_json.map(str.encode)
commands = st.fixed_dictionaries(
    {"command": st.sampled_from(("stop-job", "kill-horse", "shutdown", "nope")) | json_values},
    optional={"job_id": any_text | json_values, "execution_id": any_text | json_values},
)
messages = damaged(commands.map(json.dumps).map(str.encode)) | loose_json.map(
    lambda text: text.encode("utf-8", "surrogatepass")
)


@fuzzed(200)
@given(data=messages, channel=st.sampled_from((b"rq:pubsub:w", INVALIDATED)))
def test_a_message_is_a_signal_or_nothing(data: bytes, channel: bytes) -> None:
    heard = _signal([b"message", channel, data])

    assert heard is None or isinstance(heard, Signal)
    if heard is not None:
        step = steps.stop(heard.job_id, heard.execution)
        assert can_be_sent(*map(str, step.args))


@pytest.fixture(scope="module")
def execution() -> Execution:
    return Execution(queue, TimeLimit(), "a worker")


@fuzzed(200)
@given(data=envelopes)
def test_a_call_is_of_a_registered_task_or_an_error(execution: Execution, data: bytes) -> None:
    read = execution.read(Claimed("default", "a", "l.1", data, 30, 1, False))

    if isinstance(read, Call):
        assert isinstance(read.task, Task)
        assert read.task in queue.tasks.values()
    else:
        assert isinstance(read, Ending)
        assert read.kind in ("error", "declined")
        assert can_be_sent(read.value.decode())


@fuzzed(200)
@given(text=any_text, kind=st.sampled_from((ValueError, KeyError, UnicodeError, SystemExit)))
def test_any_error_is_told(text: str, kind: type[BaseException]) -> None:
    assert failure(kind(text)).value.decode()


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    journal = Journal(multiprocessing.get_context("fork"))
    yield journal
    journal.close()


@pytest.fixture(scope="module")
def tidy(journal: Journal) -> Callable[[], None]:
    """Makes the memory what a child with three jobs leaves."""
    writer = JournalWriter(journal)
    jobs = [Claimed("default", f"job-{n}", "0123456789ab.7", b"", 30, 1, False) for n in range(3)]
    slots = writer.hold(jobs, 1e9)
    writer.begin(slots[1], 30, 5.0, 1_795_000_000.0, 0)
    whole = journal.memory.map[:]

    def restore() -> None:
        journal.memory.map[:] = whole

    return restore


@fuzzed(150)
@given(
    at=st.lists(st.tuples(st.integers(0, 1 << 16), raw_bytes), min_size=1, max_size=6),
    states=st.binary(max_size=8),
)
def test_memory_that_a_job_wrote_over_takes_no_supervisor_down(
    journal: Journal, tidy: Callable[[], None], at: list[tuple[int, bytes]], states: bytes
) -> None:
    memory = journal.memory.map
    tidy()
    places = (STATES_AT, len(memory) - (SLOTS << 10), len(memory) - (1 << 12))
    for number, (offset, scrawl) in enumerate(at):
        begin = (places[number % 3] + offset) % (len(memory) - len(scrawl))
        memory[begin : begin + len(scrawl)] = scrawl
    memory[STATES_AT : STATES_AT + len(states)] = states
    reader = JournalReader(journal)

    account = reader.read()

    for record in account.records:
        assert can_be_sent(*record.entry)
        assert math.isfinite(record.started)
    for record in account.of(State.ENDED):
        reader.outcome(record)


@fuzzed(200)
@given(queue=st.text(max_size=300), job_id=st.text(max_size=400), execution=st.text(max_size=100))
def test_what_a_child_notes_is_what_is_read(
    journal: Journal, queue: str, job_id: str, execution: str
) -> None:
    job = Claimed(queue, job_id, execution, b"", 30, 1, False)
    if not names_fit(job):
        return
    journal.memory.map[STATES_AT : STATES_AT + SLOTS] = bytes(SLOTS)
    (slot,) = JournalWriter(journal).hold([job], 9.0)

    (record,) = JournalReader(journal).read().records

    assert (record.slot, *record.entry) == (slot, queue, job_id, execution)
