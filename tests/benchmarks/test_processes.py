"""What is seen of worker processes: their stamps after a kill, their time, their number."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.fleet import Fleet
from benchmarks.stamps import Stamps
from tests.conftest import Eventually

STAMP_AND_DIE = """
import os, signal, sys
from pathlib import Path
from benchmarks.stamps import Stamps
stamps = Stamps(Path(sys.argv[1]))
for index in (0, 1, 1):
    stamps.began(index)
stamps.ended(0)
os.kill(os.getpid(), signal.SIGKILL)
"""
BUSY_CHILD = """
import os, signal, time
if os.fork() == 0:
    began = time.process_time()
    while time.process_time() - began < 0.3: pass
    os._exit(0)
os.wait()
if os.fork() and os.fork():
    signal.pause()
signal.pause()
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with (tmp_path / "log").open("wb") as log:
        fleet = Fleet([[sys.executable, "-c", BUSY_CHILD]] * 2, dict(os.environ), log)
        yield fleet
        fleet.stop()


def test_stamps_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    stamps = Stamps.create(tmp_path / "stamps")

    subprocess.run(
        [sys.executable, "-c", STAMP_AND_DIE, tmp_path / "stamps"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    assert (stamps.begun(3), stamps.done(3), stamps.twice(3)) == (2, 1, 1)
    assert 0 < stamps.starts[0] <= stamps.ends[0]


def test_the_first_end_of_a_job_counts_and_a_second_is_noted(tmp_path: Path) -> None:
    stamps = Stamps.create(tmp_path / "stamps")
    stamps.ended(5)
    first = stamps.ends[5]

    stamps.ended(5)

    assert stamps.ends[5] == first
    assert stamps.done_again(10) == [5]


def test_a_fleet_counts_the_time_of_children_that_have_ended(
    fleet: Fleet, eventually: Eventually
) -> None:
    eventually(lambda: len(fleet.children()) == 4 and len(fleet.pids()) == 6)

    assert fleet.cpu() > 0.5  # 0.6 in ticks of 10 ms
    assert fleet.memory() > 0


def test_a_killed_fleet_leaves_no_process(fleet: Fleet, eventually: Eventually) -> None:
    eventually(lambda: len(fleet.pids()) == 6)

    fleet.kill()

    assert fleet.pids() == []
    assert not fleet.alive()


def test_the_children_of_a_killed_leader_are_still_seen(
    fleet: Fleet, eventually: Eventually
) -> None:
    eventually(lambda: len(fleet.pids()) == 6)

    fleet.kill_leaders()

    assert len(fleet.pids()) == 4
