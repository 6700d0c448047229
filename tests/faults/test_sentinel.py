"""Promise 8 at a failover through Sentinel, and what such a failover may forget.

Replication lags behind: what a primary took in and had not passed on when it was replaced is
forgotten. How much is measured; that it is nothing older and nothing newer is asserted.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.faults.conftest import Judge, OwnRedis, Trials
from tests.faults.relay import Relay
from tests.faults.sentinels import MOST_LAG, Watched
from tests.faults.trial import Trial
from tests.faults.work import Work
from tests.patience import wait_until

RESUMED = 10.0  # seconds from a new primary until a worker begins a job


@pytest.fixture
def watched(own_redis: OwnRedis, short_path: Path) -> Watched:
    """A primary that Sentinels watch, with two replicas."""
    return Watched(own_redis, short_path)


@pytest.fixture
def trial(trials: Trials, watched: Watched) -> Trial:
    """A trial that finds its Redis by Sentinel."""
    return trials(watched.url)


@pytest.fixture
def relays() -> Iterator[Callable[[int, bytes], Relay]]:
    """`relays(port, name)` makes a `Relay`."""
    made: list[Relay] = []

    def make(port: int, name: bytes) -> Relay:
        made.append(Relay(port, name))
        return made[-1]

    yield make
    for relay in made:
        relay.close()


def resumes(trial: Trial, work: Work) -> float:
    """Work goes on, by the same supervisors; after how many seconds."""
    since = time.monotonic()
    trial.enqueue("work", "afterwards")
    wait_until(lambda: trial.began("afterwards"), RESUMED)
    assert all(one.alive for one in trial.supervisors)
    return trial.read_runs("afterwards")[0].began - since


@pytest.mark.parametrize(
    "how", ["kill -9", pytest.param("frozen", marks=pytest.mark.faults)]
)  # fmt: skip
def test_promise_8_a_primary_that_is_gone_is_replaced_and_no_worker_exits(
    trial: Trial, watched: Watched, judge: Judge, whole: bool, how: str
) -> None:
    work = Work(trial, 1500 if whole else 400)
    former, since = watched.primary, watched.all_replicated()

    if how == "kill -9":
        former.end()
        watched.until_replaced(former)
    else:
        with former.frozen():
            watched.until_replaced(former)
        watched.until_demoted(former)
    trial.books.strike(how)
    trial.books.lapse(since)

    resumed = resumes(trial, work)
    judge(f"F12 failover, {how}", trial, within=60, resumed=resumed)


@pytest.mark.faults
def test_promise_8_a_primary_that_is_replaced_by_hand(
    trial: Trial, watched: Watched, judge: Judge
) -> None:
    """It takes writes until it is told, for as long as it has another replica."""
    work = Work(trial, 1500)
    former, since = watched.primary, watched.all_replicated()

    watched.fail_over()
    watched.until_replaced(former)
    watched.until_demoted(former)
    trial.books.strike("replaced")
    trial.books.lapse(since)

    resumed = resumes(trial, work)
    judge("F12 failover by hand", trial, within=60, resumed=resumed)


@pytest.mark.faults
def test_promise_8_a_primary_that_hands_over_forgets_nothing(
    trial: Trial, watched: Watched, judge: Judge
) -> None:
    """Valkey 9 has it take no writes until the replica has what it has."""
    work = Work(trial, 1500)
    former = watched.primary

    watched.fail_over("COORDINATED")
    watched.until_replaced(former)
    watched.until_demoted(former)
    trial.books.strike("handed over")

    resumes(trial, work)
    assert judge("F12 failover by hand, coordinated", trial, within=60).duplicated == ()


@pytest.mark.faults
def test_what_a_primary_takes_in_after_it_was_cut_off_is_bounded_by_min_replicas_max_lag(
    trial: Trial, watched: Watched, judge: Judge
) -> None:
    work = Work(trial, 1500)
    former, since = watched.primary, watched.all_replicated()

    watched.cut_off(former)
    trial.books.lapse(since, until=time.monotonic() + MOST_LAG + 1)  # it looks once a second
    watched.until_replaced(former)
    trial.books.strike("cut off")
    resumes(trial, work)
    watched.rejoin(former)
    watched.until_demoted(former)

    judge("F12 primary cut off from its replicas", trial, within=60)


@pytest.mark.faults
def test_a_primary_that_was_cut_off_without_a_word_takes_writes_for_min_replicas_max_lag_at_most(
    trials: Trials,
    own_redis: OwnRedis,
    short_path: Path,
    relays: Callable[[int, bytes], Relay],
    judge: Judge,
) -> None:
    """Its clients reach it still, and nothing tells it that its replicas do not."""
    ways: list[Relay] = []

    def way(port: int, name: bytes) -> Relay:
        ways.append(relays(port, name))
        return ways[-1]

    watched = Watched(own_redis, short_path, way)
    trial = trials(watched.url)
    work = Work(trial, 1500)
    former, since = watched.primary, watched.all_replicated()

    ways[0].cut_off()
    trial.books.lapse(since, until=time.monotonic() + MOST_LAG + 1)  # it looks once a second
    watched.until_replaced(former)
    trial.books.strike("cut off silently")
    resumed = resumes(trial, work)
    ways[0].rejoin()
    watched.until_demoted(former)

    verdict = judge("F12 primary cut off silently", trial, within=60, resumed=resumed)
    assert verdict.forgotten
