"""Promises 1, 4 and 7 while the clock of a worker's machine jumps: leases know Redis' time alone.

The jobs are coroutines: libfaketime 0.9.10 lets `time.sleep` fail after a jump.
"""

import time
from pathlib import Path

import pytest
from tests.faults.conftest import Judge
from tests.faults.launched import Launched
from tests.faults.trial import Trial
from tests.patience import wait_until

from msgqueue import JobStatus

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
HOUR = 3600

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime: apt install faketime"),
]


class Clock:
    """The wall clock of one program, which a test sets; what measures durations goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """From here on it is off by so much."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._path)

    @property
    def environment(self) -> dict[str, str]:
        """What has a program go by it."""
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


def launch(trial: Trial, clock: Clock, **options: object) -> Launched:
    """Start a supervisor that goes by this clock."""
    environment = {"MSGQUEUE_REDIS_URL": trial.url, **trial.books.environment}
    launched = Launched(environment | clock.environment, dict(options))
    trial.supervisors.append(launched)
    return launched


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_promise_4_no_run_is_taken_over_or_lost_when_a_clock_jumps(
    trial: Trial, judge: Judge, clock: Clock, jump: int
) -> None:
    jumping = launch(trial, clock, processes=2)
    trial.start(processes=1)
    for number in range(6):
        trial.enqueue("nap", f"long-{number}", 4.0)
    trial.produce(800, naps=1.0, pause=0.02)
    trial.wait_for_begin("long-0")

    for seconds in (jump, 0, jump):
        trial.wait_for_acknowledged(60)
        clock.jump(seconds)

    assert judge("F15 clock jumps", trial, within=60).duplicated == ()
    assert jumping.alive


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_promise_4_what_died_under_a_wrong_clock_is_recovered_in_time(
    trial: Trial, judge: Judge, clock: Clock, jump: int
) -> None:
    clock.jump(jump)
    launch(trial, clock, processes=2)
    trial.start(processes=2)
    trial.produce(900, naps=1.0, pause=0.005)
    trial.wait_for_acknowledged(100)

    for _ in range(6):
        trial.kill_child()
        trial.wait_for_acknowledged(50)
    trial.kill_machine()
    trial.start(processes=1)

    judge("F15 deaths under a wrong clock", trial, within=60)


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_job_is_queued_at_its_time_whatever_the_workers_clock_says(
    trial: Trial, judge: Judge, clock: Clock, jump: int
) -> None:
    clock.jump(jump)
    launch(trial, clock, processes=1)
    trial.enqueue("nap", "first")
    trial.wait_for_begin("first")
    began = time.monotonic()
    trial.enqueue("nap", "due", delay=3)

    judge("F15 due under a wrong clock", trial, within=20)

    [run] = trial.read_runs("due")
    assert 2.9 < run.began - began < 10


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_promise_7_a_time_limit_holds_whatever_the_clock_does(
    trial: Trial, judge: Judge, clock: Clock, jump: int
) -> None:
    launch(trial, clock, processes=1)
    trial.enqueue("nap", "short", 3.0, timeout=30)
    trial.enqueue("nap", "hangs", 60.0, timeout=2, expected=False)
    trial.wait_for_begin("hangs")
    clock.jump(jump)

    wait_until(lambda: trial.status("hangs") is JobStatus.FAILED, 20, "it fails")

    [run] = trial.read_runs("hangs")
    assert time.monotonic() - run.began < 2 + 2 + 2  # its limit, the promise, and a loaded machine
    judge("F15 limits under a wrong clock", trial)
