"""The siege finds nothing wrong with our workers, and would find what is wrong."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from benchmarks.fleet import Fleet
from benchmarks.kill_workers import MILLISECONDS, NOTED_WITHIN, Siege
from benchmarks.server import Server
from rq import Queue
from rq.serializers import JSONSerializer
from tests.benchmarks.conftest import OURS, TrialOf
from tests.conftest import Eventually
from tests.patience import wait_until

from benchmarks import rq_view

JOBS = 1_000
UNREPORTED = 2
"""Jobs whose ends are noted and not reported when their process is killed."""


@pytest.fixture
def siege(trial_of: TrialOf) -> Siege:
    siege = Siege(trial_of(OURS), random.Random(1), JOBS, processes=1)
    siege.one.fill("hold", JOBS, MILLISECONDS)
    return siege


@pytest.fixture
def fleet(siege: Siege) -> Iterator[Fleet]:
    fleet = siege.one.start(1)
    yield fleet
    fleet.stop()


def stop_with_unreported_ends(siege: Siege, fleet: Fleet) -> None:
    """Freeze the only child on ends that it has noted, and not reported, for as long as it may."""

    def unreported() -> int:
        reported = siege.one.server.client.zcard("rq:finished:default")
        return siege.one.stamps.done(JOBS) - int(reported)

    until = time.monotonic() + 20
    while time.monotonic() < until:
        if unreported() != UNREPORTED:
            continue
        (child,) = fleet.children()
        os.kill(child, signal.SIGSTOP)
        wait_until(partial(_stands_still, child), within=5.0, pause=0.001)
        if unreported() == unreported() == UNREPORTED:  # a report on its way comes in between
            last = max(siege.one.stamps.ends[:JOBS])
            while time.monotonic() < last + NOTED_WITHIN + siege.late:
                siege.sleep()
            return
        os.kill(child, signal.SIGCONT)
    pytest.fail("the child reported each end at once")


def _stands_still(process: int) -> bool:
    return _state(process) == "T"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def run_the_rest(siege: Siege, eventually: Eventually) -> None:
    with siege.one.workers(1):
        eventually(lambda: siege.one.stamps.done(JOBS) == JOBS, within=30)
        eventually(lambda: siege.one.server.client.zcard("rq:finished:default") == JOBS, within=15)


def test_what_had_ended_unreported_when_a_child_died_with_its_supervisor_may_run_again(
    siege: Siege, fleet: Fleet, eventually: Eventually
) -> None:
    (supervisor,) = set(fleet.pids()) - set(fleet.children())
    stop_with_unreported_ends(siege, fleet)
    os.kill(supervisor, signal.SIGSTOP)
    siege.kill_a_child(fleet)
    siege.kill_supervisor(fleet)

    run_the_rest(siege, eventually)

    assert len(siege.one.stamps.done_again(JOBS)) == UNREPORTED
    assert list(siege.losses()) == []


def test_what_had_ended_unreported_when_a_child_died_alone_does_not_run_again(
    siege: Siege, fleet: Fleet, eventually: Eventually
) -> None:
    stop_with_unreported_ends(siege, fleet)
    siege.kill_a_child(fleet)
    (killed,) = siege.kills.values()
    eventually(lambda: siege.one.stamps.done(JOBS) > 100)
    siege.kill_supervisor(fleet)

    run_the_rest(siege, eventually)

    assert siege.one.stamps.done_again(JOBS) == []
    assert not siege.excused(killed - NOTED_WITHIN - siege.late - 0.001)


@pytest.mark.slow
@pytest.mark.parametrize("beside", [(), ("--mixed",)], ids=["alone", "beside rq"])
def test_a_short_siege_ends_with_every_job_done(beside: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill_workers", "--seed", "7", "--jobs", "500", *beside],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert "WRONG" not in done.stdout
    assert done.returncode == 0, done.stderr


def test_the_three_views_complain_of_a_job_that_is_still_queued(
    redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rq_view, "REPORTED_WITHIN", 0.0)
    Queue(connection=redis.client, serializer=JSONSerializer).enqueue("benchmarks.work.noop", 1, 2)

    found = list(rq_view.complaints(redis, 1, 2))

    assert "rq's API: 1 jobs still queued" in found
    assert "rq's API: 0 of 1 jobs in FinishedJobRegistry" in found
    assert any(line.startswith("rq info: default") for line in found)
    assert any(line.startswith("rq-dashboard: {'count': 1") for line in found)
