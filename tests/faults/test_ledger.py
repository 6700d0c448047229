"""The books tell a job that is recovered in time from one that is not."""

import time
from pathlib import Path

import pytest
from tests.faults.ledger import Books, Verdict
from tests.faults.lines import append

FIRST, SECOND, THIRD = 11, 12, 13  # processes


class Told(Books):
    """Books of one job, in which all is written by hand, in seconds from its first begin."""

    def begin(self, pid: int, at: float) -> None:
        append(self._runs.path, "begin", "job", pid, 100 + at)

    def kill(self, pid: int, at: float) -> None:
        append(self._own_deaths.path, "kill", 100 + at, pid)

    def judge(self) -> Verdict:
        return self.verdict(recovered=9.0)


@pytest.fixture
def books(tmp_path: Path) -> Told:
    books = Told(tmp_path)
    books.begin(FIRST, 0)
    books.kill(FIRST, 1)
    return books


def test_a_job_that_was_struck_once_begins_again_within_the_lease(books: Told) -> None:
    books.begin(SECOND, 9.9)
    verdict = books.judge()
    assert verdict.within == pytest.approx(8.9)
    assert (verdict.again, verdict.late) == (0.0, ())


@pytest.mark.parametrize("began", [10.1, 15.0, 25.0])
def test_one_that_was_struck_once_and_begins_later_is_late(books: Told, began: float) -> None:
    books.begin(SECOND, began)
    assert books.judge().late == ("job",)


def test_one_that_was_struck_again_is_put_off_from_then(books: Told) -> None:
    books.begin(SECOND, 8)
    books.kill(SECOND, 9)
    books.begin(THIRD, 37)
    verdict = books.judge()
    assert (verdict.within, verdict.again, verdict.late) == (7.0, 28.0, ())


def test_one_that_was_struck_again_and_is_put_off_for_too_long_is_late(books: Told) -> None:
    books.begin(SECOND, 8)
    books.kill(SECOND, 9)
    books.begin(THIRD, 39)
    assert books.judge().late == ("job",)


def test_one_may_have_been_struck_again_before_it_could_tell_of_its_begin(books: Told) -> None:
    books.kill(SECOND, 5)
    books.begin(THIRD, 20)
    verdict = books.judge()
    assert (verdict.within, verdict.again, verdict.late) == (0.0, 15.0, ())


@pytest.mark.parametrize("began", [10.1, 14.9, 34.1])
def test_a_strike_that_could_not_have_put_it_off_so_excuses_nothing(
    books: Told, began: float
) -> None:
    books.kill(SECOND, 5)
    books.begin(THIRD, began)
    assert books.judge().late == ("job",)


def test_one_may_have_been_struck_before_it_first_began(books: Told) -> None:
    books.kill(THIRD, -5)
    books.begin(SECOND, 13)
    verdict = books.judge()
    assert (verdict.again, verdict.late) == (12.0, ())


def test_redis_may_have_forgotten_the_jobs_that_are_named_and_no_others(tmp_path: Path) -> None:
    books = Books(tmp_path)
    since = time.monotonic()
    for key in ("named", "other"):
        books.attempt(key)
        books.acknowledge([key])
    books.lapse(since, frozenset({"named"}))

    verdict = books.verdict()

    assert (verdict.forgotten, verdict.lost) == (("named",), ("other",))
