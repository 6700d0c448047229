"""Promise 8 at a failover through Sentinel, and what such a failover may forget.

Replication lags behind: what a primary took in and had not passed on when it was replaced is
forgotten. The servers' own counts say when that was taken in; that nothing else is missing is
asserted. There may be more switches than one: a loaded Sentinel takes a new primary for dead, too.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.faults.conftest import Judge, OwnRedis, Trials
from tests.faults.ledger import TOLD_WITHIN, Verdict
from tests.faults.reigns import Reigns
from tests.faults.relay import Relay
from tests.faults.sentinels import MOST_LAG, Watched
from tests.faults.trial import Trial
from tests.faults.work import Work
from tests.patience import wait_until

from msgqueue.errors import RedisUnavailable

RESUMED = 10.0  # seconds from a new primary that takes writes until a worker begins a job
CUT_OFF_WITHIN = MOST_LAG + 2.0  # seconds: Redis looks once a second, and counts whole ones


@pytest.fixture
def watched(own_redis: OwnRedis, short_path: Path) -> Watched:
    """A primary that Sentinels watch, with two replicas."""
    return Watched(own_redis, short_path)


@pytest.fixture
def trial(trials: Trials, watched: Watched) -> Trial:
    """A trial that finds its Redis by Sentinel."""
    return trials(watched.url)


@pytest.fixture
def reigns(trial: Trial, watched: Watched) -> Iterator[Reigns]:
    """Who is primary; the trial's books are told."""
    with closing(Reigns(watched.servers, trial.books)) as reigns:
        yield reigns


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


def resumes(trial: Trial, reigns: Reigns, attempt: int = 1) -> float:
    """Work goes on, by the same supervisors; how many seconds after there was a primary again."""
    reign, key = reigns.until_served(), f"afterwards-{attempt}"
    since = time.monotonic()
    with suppress(RedisUnavailable):  # there may be another switch at any moment
        trial.enqueue("work", key, front=True)
    wait_until(lambda: trial.began(key) or reigns.last is not reign, RESUMED)
    if reigns.last is not reign:
        return resumes(trial, reigns, attempt + 1)
    assert all(one.alive for one in trial.supervisors)
    return trial.read_runs(key)[0].began - since


def forgets_nothing_after(trial: Trial, verdict: Verdict, at: float) -> None:
    """What was acknowledged later than then was kept, if there was no further switch."""
    told = [trial.books.acknowledged[key] for key in verdict.forgotten]
    assert len(trial.books.strikes) > 1 or max(told, default=at) <= at + TOLD_WITHIN


@pytest.mark.parametrize(
    "how", ["kill -9", pytest.param("frozen", marks=pytest.mark.faults)]
)  # fmt: skip
def test_promise_8_a_primary_that_is_gone_is_replaced_and_no_worker_exits(
    trial: Trial, watched: Watched, reigns: Reigns, judge: Judge, whole: bool, how: str
) -> None:
    Work(trial, 1500 if whole else 400)
    former = watched.primary

    if how == "kill -9":
        former.end()
        watched.until_replaced(former)
    else:
        with former.frozen():
            watched.until_replaced(former)
        watched.until_demoted(former)

    resumed = resumes(trial, reigns)
    judge(f"F12 failover, {how}", trial, within=60, resumed=resumed)


@pytest.mark.faults
def test_promise_8_a_new_primary_that_is_replaced_at_once(
    trial: Trial, watched: Watched, reigns: Reigns, judge: Judge
) -> None:
    """Loaded Sentinels do that, too."""
    Work(trial, 1500)
    former = watched.primary

    former.end()
    watched.until_replaced(former)
    reigns.until_served()
    trial.wait_for_acknowledged(20)
    second = watched.primary
    with second.frozen():
        watched.until_replaced(second)
    watched.until_demoted(second)

    resumed = resumes(trial, reigns)
    judge("F12 two failovers", trial, within=60, resumed=resumed)
    assert len(trial.books.strikes) == 2


@pytest.mark.faults
def test_promise_8_a_primary_that_is_replaced_by_hand(
    trial: Trial, watched: Watched, reigns: Reigns, judge: Judge
) -> None:
    """It takes writes until it is told, for as long as it has another replica."""
    Work(trial, 1500)
    former = watched.primary

    watched.fail_over()
    watched.until_replaced(former)
    watched.until_demoted(former)

    resumed = resumes(trial, reigns)
    judge("F12 failover by hand", trial, within=60, resumed=resumed)


@pytest.mark.faults
def test_promise_8_a_primary_that_hands_over_forgets_nothing(
    trial: Trial, watched: Watched, reigns: Reigns, judge: Judge
) -> None:
    """Valkey 9 has it take no writes until the replica has what it has."""
    Work(trial, 1500)
    former = watched.primary

    watched.fail_over("COORDINATED")
    watched.until_replaced(former)
    watched.until_demoted(former)

    resumes(trial, reigns)
    assert judge("F12 failover by hand, coordinated", trial, within=60).duplicated == ()


@pytest.mark.faults
def test_what_a_primary_takes_in_after_it_was_cut_off_is_bounded_by_min_replicas_max_lag(
    trial: Trial, watched: Watched, reigns: Reigns, judge: Judge
) -> None:
    Work(trial, 1500)
    former = watched.primary

    watched.cut_off(former)
    cut_off_at = time.monotonic()
    watched.until_replaced(former)
    resumes(trial, reigns)
    watched.rejoin(former)
    watched.until_demoted(former)

    verdict = judge("F12 primary cut off from its replicas", trial, within=60)
    forgets_nothing_after(trial, verdict, cut_off_at + CUT_OFF_WITHIN)


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
    Work(trial, 1500)
    former = watched.primary

    with closing(Reigns(watched.servers, trial.books)) as reigns:
        ways[0].cut_off()
        cut_off_at = time.monotonic()
        watched.until_replaced(former)
        resumed = resumes(trial, reigns)
        ways[0].rejoin()
        watched.until_demoted(former)

        verdict = judge("F12 primary cut off silently", trial, within=60, resumed=resumed)
    assert verdict.forgotten
    forgets_nothing_after(trial, verdict, cut_off_at + CUT_OFF_WITHIN)
