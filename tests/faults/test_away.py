"""Promises 4, 8 and 10: workers begin, end or die while Redis is away, or hear of it no more."""

import signal
import time
from pathlib import Path

import pytest
from tests.conftest import Eventually
from tests.faults.conftest import Judge, OwnRedis, Trials
from tests.faults.proxy import Proxy
from tests.faults.servers import ALWAYS
from tests.faults.trial import Trial

from msgqueue.connection import Source
from msgqueue.store.signals import Wakeup


def test_promise_8_a_worker_waits_for_a_redis_that_starts_after_it(
    trials: Trials,
    judge: Judge,
    own_redis: OwnRedis,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    server, told = own_redis(*ALWAYS), tmp_path / "told"
    trial = trials(server.url)
    server.end()
    told.touch()
    trial.start({"TOLD": str(told)}, processes=1)
    eventually(lambda: "redis is away" in told.read_text())  # it has tried in vain

    server.start()
    trial.enqueue("work", "first")

    assert judge("Redis starts after its worker", trial).duplicated == ()
    assert len(trial.children()) == 1


@pytest.mark.faults
def test_promise_10_a_worker_that_is_told_to_end_while_redis_is_away_ends(
    trials: Trials, judge: Judge, own_redis: OwnRedis, eventually: Eventually
) -> None:
    """What it ran is run by another one, once its lease is over."""
    server = own_redis(*ALWAYS)
    trial = trials(server.url)
    supervisor = trial.start(processes=1, grace=0.5)
    trial.enqueue("work", "began", 1.5)
    eventually(lambda: trial.began("began"))
    children = trial.children()

    server.end()
    supervisor.signal(signal.SIGTERM)
    trial.books.strike("ended", children)
    supervisor.wait(15)
    server.start()
    trial.start(processes=1)

    verdict = judge("told to end while Redis is away", trial, recovered=25)
    assert verdict.duplicated == ("began",)


@pytest.mark.faults
def test_promise_4_workers_that_are_killed_every_five_seconds_starve_no_job(
    trial: Trial, judge: Judge, eventually: Eventually
) -> None:
    trial.start(processes=1)
    trial.enqueue("work", "began", 1.0)
    eventually(lambda: trial.began("began"))

    until = time.monotonic() + 17
    while not trial.at_rest() and time.monotonic() < until:
        trial.kill_machine()
        trial.start(processes=1)
        time.sleep(5)  # as the name says

    judge("F1 kill -9 of all, every 5 s", trial, within=1, recovered=17)
    assert len(trial.read_runs("began")) == 2


def test_what_hears_of_changes_notices_that_its_line_fell_silent(
    trial: Trial, network: Proxy, eventually: Eventually
) -> None:
    source = Source(network.url)
    wakeup = Wakeup(source, ["default"])
    assert wakeup.connect()
    network.fall_silent()

    def given_up() -> bool:
        wakeup.arm()
        return not wakeup.connected

    eventually(given_up, 6.0)
    assert wakeup.connect()
    wakeup.arm()
    trial.client.rpush("rq:queue:default", "a")
    eventually(wakeup.read)
    wakeup.close()
    source.close()
