"""What a child notes is what its supervisor reads; begin and revoke exclude each other."""

import multiprocessing
from collections.abc import Iterator
from itertools import count

import pytest

from msgqueue.jobs import Claimed, Outcome
from msgqueue.worker.account import JournalReader
from msgqueue.worker.journal import (
    HALF_SIZE,
    NAMES_AT,
    NAMES_ROOM,
    SLOT_SIZE,
    SLOTS_AT,
    SYNC,
    Begin,
    Journal,
    JournalWriter,
    State,
    names_fit,
)

NUMBERS = count()


@pytest.fixture
def journal() -> Iterator[Journal]:
    journal = Journal(multiprocessing.get_context("fork"))
    yield journal
    journal.close()


@pytest.fixture
def child(journal: Journal) -> JournalWriter:
    return JournalWriter(journal)


@pytest.fixture
def supervisor(journal: Journal) -> JournalReader:
    return JournalReader(journal)


def job(name: str = "") -> Claimed:
    name = name or f"job-{next(NUMBERS)}"
    return Claimed("default", name, "0123456789ab.1", b"", 30, 1, False)


def outcome(of: Claimed, value: bytes = b"1") -> Outcome:
    return Outcome(of.queue, of.id, of.execution, "ok", value, 1.0, 2.0)


def begin(child: JournalWriter, slot: int, now: float = 0.0) -> Begin:
    return child.begin(slot, 30, now, 1_000.0, SYNC)


def test_held_jobs_are_read_in_the_order_in_which_they_were_handed_out(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    first = [job() for _ in range(3)]
    slots = child.hold(first, 6.0)
    child.free(slots[:1])
    second = [job() for _ in range(3)]
    child.hold(second, 6.0)

    read = [record.entry.id for record in supervisor.read().of(State.HELD)]

    assert read == [one.id for one in first[1:] + second]


def test_a_job_that_has_begun_shows_its_deadline(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    (slot,) = child.hold([job()], 6.0)

    assert begin(child, slot, now=5.0) is Begin.BEGUN

    (record,) = supervisor.read().of(State.RUNNING)
    assert (record.begun, record.deadline, record.started) == (5.0, 35.0, 1_000.0)


def test_a_job_does_not_begin_when_its_lease_is_in_doubt_until_a_beat_confirms_it(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    (slot,) = child.hold([job()], 6.0)
    assert begin(child, slot, now=6.0) is Begin.LATE

    supervisor.extend(supervisor.read().records, 12.0)

    assert begin(child, slot, now=6.0) is Begin.BEGUN


def test_a_revoked_job_does_not_begin(child: JournalWriter, supervisor: JournalReader) -> None:
    (slot,) = child.hold([job()], 6.0)

    assert len(supervisor.move(supervisor.read().records, State.HELD, State.REVOKED)) == 1

    assert begin(child, slot) is Begin.REVOKED


def test_a_job_that_has_begun_is_not_revoked(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    (slot,) = child.hold([job()], 6.0)
    seen = supervisor.read().records
    begin(child, slot)

    assert supervisor.move(seen, State.HELD, State.REVOKED) == []


def test_a_record_of_a_slot_that_holds_another_job_by_now_changes_nothing(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    (slot,) = child.hold([job()], 6.0)
    seen = supervisor.read().records
    child.free([slot])
    assert child.hold([job()], 6.0) == [slot]

    assert supervisor.move(seen, State.HELD, State.REVOKED) == []


def test_an_outcome_is_read_as_it_was_noted(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    one = job("ä-job")
    (slot,) = child.hold([one], 6.0)
    child.begin(slot, 30, 0.0, 1.0, SYNC)

    assert child.end(slot, outcome(one, b"\x00value"))

    (record,) = supervisor.read().of(State.ENDED)
    assert supervisor.outcome(record) == outcome(one, b"\x00value")


def test_an_outcome_that_does_not_fit_leaves_the_job_running(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    one = job()
    (slot,) = child.hold([one], 6.0)
    begin(child, slot)

    assert not child.end(slot, outcome(one, b"x" * (HALF_SIZE + 1)))

    assert len(supervisor.read().of(State.RUNNING)) == 1


def test_outcomes_of_a_report_under_way_are_kept_while_others_are_noted(
    child: JournalWriter, supervisor: JournalReader
) -> None:
    first, second = job(), job()
    slots = child.hold([first, second], 6.0)
    for slot in slots:
        begin(child, slot)
    child.end(slots[0], outcome(first, b"a" * HALF_SIZE))
    child.turn()

    assert child.end(slots[1], outcome(second, b"b" * HALF_SIZE))

    values = [supervisor.outcome(record).value[:1] for record in supervisor.read().records]
    assert values == [b"a", b"b"]


def test_a_slot_that_a_job_wrote_over_hides_no_other(
    journal: Journal, child: JournalWriter, supervisor: JournalReader
) -> None:
    torn, whole = job(), job()
    slot, _ = child.hold([torn, whole], 6.0)
    at = SLOTS_AT + slot * SLOT_SIZE + NAMES_AT

    journal.memory.map[at : at + 4] = b"\xff\xff\xff\xff"

    assert [record.entry.id for record in supervisor.read().records] == [whole.id]


def test_names_fit_as_far_as_their_bytes_do() -> None:
    rest = len("default0123456789ab.1")

    assert names_fit(job("x" * (NAMES_ROOM - rest)))
    assert not names_fit(job("x" * (NAMES_ROOM - rest + 1)))
    assert not names_fit(job("ä" * (NAMES_ROOM - rest)))
