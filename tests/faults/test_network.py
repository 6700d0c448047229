"""Promises 1, 3 and 8 on a network that loses, delays, cuts and doubles requests and replies."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from tests.conftest import Eventually
from tests.faults import app
from tests.faults.conftest import Judge
from tests.faults.proxy import CUTS, Fault, Proxy, Rule
from tests.faults.trial import Trial
from tests.patience import wait_until

from msgqueue import JobStatus
from msgqueue.connection import Source
from msgqueue.endpoint import SOCKET_TIMEOUT
from msgqueue.errors import RedisUnavailable
from msgqueue.store.run import RETRY_FOR

LATE, LATE_COPY = 0.3, 1.5  # seconds
PASSING = (*CUTS, Fault.LATE, Fault.HALTED, Fault.COPIED)  # what a client can outlive soon
ALONE = [pytest.param((fault,), id=fault, marks=pytest.mark.faults) for fault in PASSING]
SOME = [pytest.param(PASSING, id="all"), *ALONE]

Faults = tuple[Fault, ...]


def rules(faults: Iterable[Fault], share: float, *steps: str) -> list[Rule]:
    """Each of these faults for so many of the requests."""
    return [
        Rule(fault, share, frozenset(steps), LATE_COPY if fault is Fault.COPIED else LATE)
        for fault in faults
    ]


@pytest.mark.parametrize("faults", SOME)
def test_promise_1_enqueue_loses_nothing_and_makes_no_second_job(
    trial: Trial, judge: Judge, network: Proxy, faults: Faults
) -> None:
    network.be(*rules(faults, 0.2 / len(faults)))
    trial.start(processes=2)
    for _ in range(2):
        trial.produce(200, network.url, together=5)

    verdict = judge("F14 enqueue", trial, within=60)

    assert network.met.total() > 10
    assert verdict.acknowledged == 400
    assert verdict.duplicated == ()


@pytest.mark.parametrize("nth", [0, *(pytest.param(n, marks=pytest.mark.faults) for n in (1, 2))])
@pytest.mark.parametrize("fault", PASSING)
def test_promise_1_enqueue_async_makes_no_second_job(
    trial: Trial, judge: Judge, network: Proxy, fault: Fault, nth: int
) -> None:
    network.be(Rule(fault, steps=frozenset({"enqueue"}), seconds=LATE, spared=nth, most=2))
    trial.start(processes=1)
    keys = [f"job-{number}" for number in range(5)]

    async def enqueue() -> None:
        for key in keys:
            trial.books.attempt(key)
            await app.nap.options(job_id=key, result_ttl=0).enqueue_async(key)
            trial.books.acknowledge([key])

    source = Source(network.url)
    with app.queue.diverted(source):
        asyncio.run(enqueue())
    source.close()

    assert judge("F14 enqueue_async", trial).duplicated == ()
    assert network.met[fault] == 2


@pytest.mark.parametrize("faults", SOME)
def test_promise_8_no_job_is_lost_or_repeated_when_workers_lose_requests_and_replies(
    trial: Trial, judge: Judge, network: Proxy, faults: Faults
) -> None:
    network.be(*rules(faults, 0.2 / len(faults)))
    supervisors = [trial.start(network.environment, processes=2, claim=8) for _ in range(2)]
    wait_until(lambda: len(trial.children()) == 4, 10, "all children")
    children = trial.children()
    trial.produce(400)

    verdict = judge("F14 workers", trial, within=90)

    assert network.met.total() > 10
    assert verdict.duplicated == ()
    assert trial.children() == children
    assert all(one.alive for one in supervisors)


@pytest.mark.faults
def test_promise_4_what_was_struck_is_recovered_over_such_a_network(
    trial: Trial, judge: Judge, network: Proxy
) -> None:
    network.be(*rules(PASSING, 0.02))
    trial.start(network.environment, processes=2)
    trial.produce(3000, network.url)

    kills = trial.rage(trial.kill_child, (0.2, 0.6))

    judge("F14 and kill -9 of a child", trial, within=60)
    assert kills >= 3


@pytest.mark.faults
@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.COPIED])
def test_promise_8_the_nth_call_of_each_step_may_lose_its_reply_or_come_twice(
    trial: Trial, judge: Judge, network: Proxy, fault: Fault, nth: int
) -> None:
    """Children die, are at long jobs, and are stopped, so that every step is called."""
    steps = (
        "work", "register", "beat", "release", "settle", "stop", "lead", "sweep", "promote",
        "handover", "leftovers", "trim", "orphans", "unlock", "oldest", "waiting", "client",
        "exists",
    )  # fmt: skip
    network.be(*(Rule(fault, steps=frozenset({s}), seconds=0.5, spared=nth, most=3) for s in steps))
    for number in range(100):
        trial.enqueue("work", f"job-{number}", 0.3 if number % 20 == 0 else 0.001)
    trial.enqueue("work", "due", delay=1)
    trial.enqueue("die_once", "dies")
    trial.enqueue("work", "stopped", 30.0, expected=False)
    trial.start(network.environment, processes=(1, 2), wait_target=0.001)
    trial.wait_for_begin("stopped", 30)
    trial.cancel("stopped")

    verdict = judge("F14 the n-th call of each step", trial, within=60)

    assert set(verdict.duplicated) <= {"dies"}
    assert trial.status("stopped") is JobStatus.STOPPED
    assert network.met[fault] >= 5


@pytest.mark.parametrize("fault", PASSING)
def test_promise_6_cancel_and_retry_are_carried_out_once(
    trial: Trial, judge: Judge, network: Proxy, fault: Fault
) -> None:
    network.be(
        *(Rule(fault, steps=frozenset({s}), seconds=0.5, most=1) for s in ("cancel", "requeue"))
    )
    source = Source(network.url)
    trial.enqueue("work", "again")

    with app.queue.diverted(source):
        assert app.queue.cancel("again") is JobStatus.CANCELED
        assert not trial.began("again")
        app.queue.retry("again")
        trial.start(processes=1)
        app.queue.job("again").result(timeout=10)
    source.close()

    assert network.met[fault] == 2
    wait_until(lambda: not network.busy, 10, "copies under way")
    assert judge("F14 cancel and retry", trial).duplicated == ()
    assert trial.status("again") is JobStatus.FINISHED


@pytest.mark.parametrize("faults", SOME)
def test_results_are_heard_of_over_such_a_network(
    trial: Trial, judge: Judge, network: Proxy, faults: Faults
) -> None:
    trial.start(processes=1)
    for number in range(60):
        trial.enqueue("work", f"job-{number}", 0.02)
    network.be(*rules(faults, 0.3 / len(faults)))

    async def results() -> list[Any]:
        jobs = [await app.queue.job_async(f"job-{number}") for number in range(60)]
        return await asyncio.gather(*(job.result_async(timeout=20) for job in jobs))

    source = Source(network.url)
    with app.queue.diverted(source):
        answers = asyncio.run(results())
        assert [app.queue.job(key).result(timeout=20) for key in answers] == answers
    source.close()

    assert answers == [f"job-{number}" for number in range(60)]
    judge("F14 results", trial)
    assert network.met.total() > 10


@pytest.mark.faults
def test_promise_8_connections_that_die_without_a_word_are_left(
    trial: Trial, judge: Judge, network: Proxy, eventually: Eventually
) -> None:
    supervisor = trial.start(network.environment, processes=2)
    producer = trial.produce(300, network.url, pause=0.02)
    trial.wait_for_acknowledged(100)
    children = trial.children()

    network.fall_silent()

    assert judge("F14 silent connections", trial, within=40).duplicated == ()
    assert producer.wait(10) == 0
    assert trial.children() == children
    trial.enqueue("work", "last")
    eventually(lambda: trial.began("last"), 10.0)
    assert judge("F14 silent connections", trial).duplicated == ()
    assert supervisor.alive


@pytest.mark.faults
def test_promise_3_a_worker_that_was_cut_off_past_its_lease_is_refused(
    trial: Trial, judge: Judge, network: Proxy, eventually: Eventually
) -> None:
    supervisor = trial.start(network.environment, processes=2)
    for number in range(2):
        trial.enqueue("work", f"cut-off-{number}", 14.0)
        eventually(lambda number=number: trial.began(f"cut-off-{number}"))
    trial.books.strike("cut off", trial.children())
    children = trial.children()
    network.go_dark()
    trial.start(processes=2)
    for number in range(2):
        eventually(lambda number=number: len(trial.read_runs(f"cut-off-{number}")) == 2, 15.0)

    network.heal()

    verdict = judge("F14 cut off past the lease", trial, within=40)
    assert verdict.duplicated == ("cut-off-0", "cut-off-1")
    assert supervisor.alive
    with trial.speaking():
        for key in verdict.duplicated:
            assert app.queue.source.client().xlen(f"rq:results:{key}") == 1
    wait_until(lambda: len(trial.children()) == len(children) + 2, 10, "all children")


@pytest.mark.faults
def test_promise_8_a_worker_that_was_cut_off_for_less_than_its_lease_repeats_nothing(
    trial: Trial, judge: Judge, network: Proxy
) -> None:
    trial.start(network.environment, processes=2)
    trial.start(processes=1)
    trial.produce(300, pause=0.05, seconds=0.1)
    for _ in range(3):
        trial.wait_for_acknowledged(60)
        network.go_dark()
        time.sleep(3)  # that long it is dark
        network.heal()

    assert judge("F14 cut off for 3 s", trial, within=40).duplicated == ()


@pytest.mark.faults
def test_enqueue_gives_up_where_nobody_answers(trial: Trial, network: Proxy) -> None:
    source = Source(network.url)
    network.go_dark()
    began = time.monotonic()

    with app.queue.diverted(source), pytest.raises(RedisUnavailable):
        app.work.enqueue("unheard")
    source.close()

    assert time.monotonic() - began < 2 * SOCKET_TIMEOUT + RETRY_FOR


@pytest.mark.faults
def test_a_slow_network_repeats_nothing(trial: Trial, judge: Judge, network: Proxy) -> None:
    network.be(Rule(Fault.LATE, seconds=0.2))
    trial.start(network.environment, processes=2)
    trial.produce(60, network.url)

    assert judge("F14 slow", trial, within=60).duplicated == ()
    assert Counter(network.met).keys() == {Fault.LATE}
