"""A claim grows as far as nobody notices."""

from itertools import pairwise

from msgqueue.worker.pace import MOST, SPAN, Pace


def claims(pace: Pace, seconds: float, number: int) -> list[int]:
    """The sizes of so many claims in a row, of jobs that all take so long."""
    sizes = []
    for _ in range(number):
        sizes.append(pace.next())
        for _ in range(sizes[-1]):
            pace.note(seconds)
    return sizes


def test_claims_of_quick_jobs_double_up_to_the_most() -> None:
    sizes = claims(Pace(), 0.00001, 30)

    assert sizes[0] == 1
    assert sizes[-1] == MOST
    assert all(after <= 2 * before for before, after in pairwise(sizes))


def test_claims_hold_no_more_work_than_the_span() -> None:
    sizes = claims(Pace(), 0.005, 50)

    assert max(sizes) * 0.005 <= SPAN


def test_one_slow_job_makes_the_next_claim_small_at_once() -> None:
    pace = Pace()
    claims(pace, 0.00001, 30)

    pace.note(1.0)

    assert pace.next() == 1


def test_claims_of_one_stay_so() -> None:
    assert set(claims(Pace(most=1), 0.00001, 20)) == {1}
