"""Promise 8: a worker outlives whatever Redis does, and nothing is lost or doubled by it."""

import signal
import time
from collections.abc import Callable

import pytest
from tests.faults.conftest import Judge, OwnRedis, Trials
from tests.faults.servers import ALWAYS, EVERY_SECOND
from tests.faults.trial import Trial

#: Seconds before the death of Redis in which `everysec` may not have written down what it took in:
#: it puts a write off for as long as another one is being made safe, two seconds at most.
PUT_OFF = 2.0

POLICIES = [pytest.param(ALWAYS, id="always"), pytest.param(EVERY_SECOND, id="everysec")]
Options = tuple[str, ...]


class Work:
    """Producers and workers at work on a Redis, with long jobs under way."""

    def __init__(self, trial: Trial, jobs: int, pause: float = 0.01, long: float = 1.0) -> None:
        self.trial = trial
        for _ in range(2):
            trial.start(processes=1)
            trial.produce(jobs // 2, pause=pause)
        while len(trial.children()) < 2:
            time.sleep(0.01)
        trial.wait_for_acknowledged(50)
        for number in range(2):
            trial.enqueue("nap", f"long-{number}", long)
        self.children = trial.children()

    def strike(self, name: str, harm: Callable[[], object]) -> None:
        """Do something to Redis, and write it down."""
        harm()
        self.trial.books.strike(name)

    def same_workers(self) -> bool:
        """Whether nobody has ended."""
        return self.trial.children() == self.children


@pytest.mark.parametrize("options", POLICIES)
def test_promise_8_a_redis_that_is_restarted_loses_and_repeats_nothing(
    trials: Trials, judge: Judge, own_redis: OwnRedis, whole: bool, options: Options
) -> None:
    server = own_redis(*options)
    trial = trials(server.url)
    work = Work(trial, 2000 if whole else 600)

    for _ in range(10 if whole else 3):
        trial.wait_for_acknowledged(trial.choice.randrange(20, 120))
        work.strike("redis ended", lambda: server.end(signal.SIGTERM))
        time.sleep(trial.choice.uniform(0, 0.5))
        server.start()

    verdict = judge(f"F7 Redis restarted, {options[3]}", trial, within=60)
    assert verdict.duplicated == ()
    assert work.same_workers()


@pytest.mark.parametrize("options", POLICIES)
def test_promise_8_a_redis_that_is_killed_loses_and_repeats_nothing(
    trials: Trials, judge: Judge, own_redis: OwnRedis, whole: bool, options: Options
) -> None:
    server = own_redis(*options)
    trial = trials(server.url)
    work = Work(trial, 4000 if whole else 600)

    for _ in range(20 if whole else 4):
        trial.wait_for_acknowledged(trial.choice.randrange(20, 120))
        work.strike("redis killed", server.end)
        if options is EVERY_SECOND:
            trial.books.lapse(time.monotonic() - PUT_OFF)
        server.start()

    judge(f"F8 Redis kill -9, {options[3]}", trial, within=60)
    if options is ALWAYS:
        assert work.same_workers()
