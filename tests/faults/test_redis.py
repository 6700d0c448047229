"""Promise 8: a worker outlives whatever Redis does, and nothing is lost or doubled by it."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from tests.conftest import Eventually
from tests.faults.conftest import Judge, OwnRedis, Trials
from tests.faults.harms import (
    PAUSE,
    forgetting_scripts,
    full,
    killed,
    pausing,
    read_only,
    reading_back,
    restarted,
)
from tests.faults.servers import ALWAYS, EVERY_SECOND, Server
from tests.faults.work import Work
from tests.patience import wait_until

#: Seconds before the death of Redis in which `everysec` may not have written down what it took in:
#: it puts a write off for as long as another one is being made safe, two seconds at most.
PUT_OFF = 2.0

#: Each command takes 0.3 ms while Redis reads its file back, and it answers in between.
SLOWLY = ("--key-load-delay", "300", "--loading-process-events-interval-bytes", "1024")

IDLE = 15.0  # seconds that a fault lasts at most where nothing is to do
RESUMED = 3.0  # seconds from the return of Redis until a worker begins a job
OUTAGE = 7.0  # seconds, in which the pauses between two tries have grown to the longest


@dataclass(frozen=True)
class Fault:
    """What becomes of Redis, and how often and for how many seconds, by default and in a whole run.

    Attributes:
        told_as: in the table of figures.
        harm: what becomes of it, and what ends that.
        seconds: how long it lasts.
        times: how often, under load.
        options: of the server.
    """

    told_as: str
    harm: Callable[[Server], AbstractContextManager[None]]
    seconds: tuple[float, float] = (0.2, 0.5)
    times: tuple[int, int] = (1, 3)
    options: tuple[str, ...] = ALWAYS


OFTEN = (
    Fault("F7 Redis restarted, always", restarted, times=(2, 10)),
    Fault("F8 Redis kill -9, always", killed, times=(3, 20)),
    Fault("F9 Redis frozen past a lease (SIGSTOP)", Server.frozen, (9.0, 15.0)),
    Fault("F13 Redis read-only (REPLICAOF)", read_only, (1.5, 5.0)),
    Fault("SCRIPT FLUSH", forgetting_scripts, (0.1, 0.1), (5, 50)),
)
WITH_FAULTS = (
    Fault("F7 Redis restarted, everysec", restarted, times=(2, 10), options=EVERY_SECOND),
    Fault("F8 Redis loads for a while", reading_back, (0.0, 0.0), options=(*ALWAYS, *SLOWLY)),
    Fault("F9 Redis answers nobody (CLIENT PAUSE)", pausing, (PAUSE, PAUSE)),
    Fault("F9 Redis away for a minute", killed, (65.0, 65.0), (1, 1)),
    Fault("F10 Redis full (maxmemory)", full, (1.0, 10.0)),
)


@pytest.mark.parametrize(
    "fault",
    [
        *(pytest.param(fault, id=fault.told_as) for fault in OFTEN),
        *(pytest.param(one, id=one.told_as, marks=pytest.mark.faults) for one in WITH_FAULTS),
    ],
)
def test_promise_8_nothing_is_lost_or_repeated_and_no_worker_exits(
    trials: Trials, judge: Judge, own_redis: OwnRedis, whole: bool, fault: Fault
) -> None:
    """Under load, where jobs end meanwhile; in whole runs once more, where nothing is to do."""
    server = own_redis(*fault.options)
    trial = trials(server.url)
    times, seconds = fault.times[whole], fault.seconds[whole]
    work = Work(trial, (1500 if whole else 200) + 50 * times)

    for _ in range(times):
        trial.wait_for_acknowledged(trial.choice.randrange(10, 50))
        with fault.harm(server):
            trial.books.strike(fault.told_as)
            time.sleep(seconds)  # that long the fault lasts

    assert judge(fault.told_as, trial, within=60).duplicated == ()
    assert work.same_workers()
    if whole:
        with fault.harm(server):
            trial.books.strike(fault.told_as)
            time.sleep(min(seconds, IDLE))  # as above
    trial.enqueue("work", "afterwards")
    wait_until(lambda: trial.began("afterwards"), RESUMED)
    assert work.same_workers()


BACK = (
    Fault("F7 Redis restarted, always", restarted),
    Fault("F8 Redis kill -9, always", killed),
    Fault("F9 Redis frozen past a lease (SIGSTOP)", Server.frozen),
    Fault("F13 Redis read-only (REPLICAOF)", read_only),
)


@pytest.mark.faults
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.told_as) for fault in BACK])
def test_promise_8_every_worker_works_within_three_seconds_of_the_return_of_redis(
    trials: Trials, judge: Judge, own_redis: OwnRedis, fault: Fault, busy: bool
) -> None:
    """Those that had nothing to do, and those whose job ended while it was away."""
    server = own_redis(*fault.options)
    trial = trials(server.url)
    for number in range(2):
        trial.start(processes=1, claim=1)
        trial.enqueue("work", f"first-{number}", OUTAGE / 2 if busy else 0.3)
        trial.wait_for_begin(f"first-{number}")
    wait_until(lambda: busy or trial.at_rest(), 10, "nothing to do")
    children = set(trial.children())

    with fault.harm(server):
        trial.books.strike(fault.told_as)
        time.sleep(OUTAGE)
    back = time.monotonic()
    for number in range(40):
        trial.enqueue("work", f"afterwards-{number}", 0.2)

    def begins() -> dict[int, float]:
        trial.books.read()
        runs = [run for runs in trial.books.runs.values() for run in runs if run.began > back]
        return {run.pid: run.began for run in sorted(runs, key=lambda run: -run.began)}

    wait_until(lambda: begins().keys() >= children, 20, "all work")
    resumed = max(begins()[pid] for pid in children) - back
    told = f"{fault.told_as}, {'busy' if busy else 'idle'}"
    assert judge(told, trial, resumed=resumed).duplicated == ()
    assert resumed < RESUMED


@pytest.mark.faults
def test_promise_1_a_redis_that_is_killed_forgets_two_seconds_at_most_with_everysec(
    trials: Trials, judge: Judge, own_redis: OwnRedis, whole: bool
) -> None:
    server = own_redis(*EVERY_SECOND)
    trial = trials(server.url)
    Work(trial, 1500 if whole else 300)

    for _ in range(20 if whole else 3):
        trial.wait_for_acknowledged(trial.choice.randrange(20, 50))
        server.end()
        trial.books.strike("killed")
        trial.books.lapse(time.monotonic() - PUT_OFF)
        server.start()

    judge("F8 Redis kill -9, everysec", trial, within=60)
    assert all(one.alive for one in trial.supervisors)


def test_promise_1_a_loss_of_power_forgets_what_was_not_yet_written_and_nothing_else(
    trials: Trials, judge: Judge, own_redis: OwnRedis, whole: bool
) -> None:
    """The append-only file ends anywhere in its last second, also in the middle of a step."""
    server = own_redis(*ALWAYS)
    trial = trials(server.url)
    Work(trial, 1500 if whole else 200)

    for number in range(10 if whole else 1):
        trial.wait_for_acknowledged(trial.choice.randrange(20, 50))
        since, safe = time.monotonic(), server.written
        time.sleep(trial.choice.uniform(0.2, 1.0))  # whose writes are lost
        server.end()
        forgotten = server.forget(trial.choice.randint(safe, server.written))
        trial.books.strike(f"power {number}")
        trial.books.lapse(since, forgotten)
        server.start()

    judge("F8 power lost, a second unwritten", trial, within=60)
    assert all(one.alive for one in trial.supervisors)


@pytest.mark.parametrize("how", ["FLUSHALL", pytest.param("no file", marks=pytest.mark.faults)])
def test_promise_8_a_worker_outlives_a_redis_that_forgets_everything(
    trials: Trials, judge: Judge, own_redis: OwnRedis, eventually: Eventually, how: str
) -> None:
    server = own_redis("--save", "")
    trial = trials(server.url)
    trial.start(processes=2)
    trial.enqueue("work", "forgotten", 60.0)
    eventually(lambda: trial.began("forgotten"))
    trial.produce(300, pause=0.01)
    trial.wait_for_acknowledged(50)

    if how == "FLUSHALL":
        server.client().flushall()
    else:
        server.end()
        server.start()
    trial.books.strike(how)
    trial.books.lapse(0.0)
    trial.enqueue("work", "afterwards")

    judge(f"{how}: Redis forgets everything", trial, within=30)
    assert trial.began("afterwards")
    assert len(trial.children()) == 2
