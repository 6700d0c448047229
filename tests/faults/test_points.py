"""Promises 1, 2 and 4 at each step where a crash matters: no fault point is without its kill."""

import ast
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Eventually
from tests.faults import app
from tests.faults.conftest import RECOVERED, Judge
from tests.faults.trial import Trial

import msgqueue
from msgqueue import JobStatus, Retry

CHILD = (
    "claim.before", "claim.sent", "claim.after",
    "child.started", "run.before", "run.after", "child.ended",
    "async.started", "async.ended",
)  # fmt: skip
STEPS = (
    "register", "beat", "release", "settle", "stop", "waiting",
    "lead", "sweep", "promote", "handover", "leftovers", "trim", "orphans", "unlock", "oldest",
)  # fmt: skip
LATER = "later"  # a job that is due in ten seconds
OFTEN = {"settle.before", "release.before", "settle.sent"}  # run by default
SUPERVISOR = [
    pytest.param(point, marks=() if point in OFTEN else pytest.mark.faults)
    for point in (
        "settle.before",
        "release.before",
        *(f"{step}.{when}" for step in STEPS for when in ("sent", "answered")),
    )
]


def points() -> Iterator[str]:
    """The names of all fault points in the source; what is reckoned in them stands as {}."""
    for path in Path(msgqueue.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="fault_point"), args=[ast.Constant(value=str(name))]
                ):
                    yield name
                case ast.Call(func=ast.Name(id="fault_point"), args=[ast.JoinedStr(values=parts)]):
                    yield "".join(
                        str(getattr(part, "value", "")) if isinstance(part, ast.Constant) else "{}"
                        for part in parts
                    )


def test_every_fault_point_has_a_kill() -> None:
    steps = {"{}.sent", "{}.answered"}
    assert set(points()) == {*CHILD, "settle.before", "release.before"} | steps


@pytest.mark.parametrize("point", CHILD)
def test_a_child_killed_at_a_point_loses_nothing_and_what_never_began_no_attempt(
    trial: Trial, judge: Judge, point: str
) -> None:
    for number in range(60):
        task = "nap" if number % 3 == 0 else "work"
        retry = Retry(max=1) if number % 2 else None
        trial.enqueue(task, f"{task}-{number}", retry=retry, queue=app.QUEUES[number % 2])
    fragile = [f"once-{number}" for number in range(10)]
    for key in fragile:
        trial.enqueue("work", key, max_deliveries=1, expected=False)

    supervisor = trial.start(
        trial.books.kill_at(point, trial.choice.randint(1, 3)), processes=1, burst=True
    )

    assert supervisor.wait(20) == 0
    verdict = judge("F2 kill -9 at a point of a child", trial, within=1, recovered=5.0)
    assert len(trial.books.strikes) == 1
    assert sum(key.startswith("work") for key in verdict.duplicated) <= 1
    assert sum(trial.status(key) is JobStatus.FAILED for key in fragile) <= 1


@pytest.mark.parametrize("point", SUPERVISOR)
def test_a_supervisor_killed_at_a_point_loses_nothing(
    trial: Trial, judge: Judge, slack: float, eventually: Eventually, point: str
) -> None:
    """Its child holds jobs behind a long one, dies under another, or is stopped under a third."""
    long = 2.5 if point.startswith("oldest") else 0.3
    _enqueue_for(trial, point, long)

    leaves = point.startswith("unlock")
    victim = trial.start(
        trial.books.kill_at(point), processes=(1, 2), wait_target=0.001, burst=not leaves
    )
    if point.startswith("stop"):
        eventually(lambda: trial.began("stopped"))
        trial.cancel("stopped")
    if leaves:
        eventually(lambda: trial.began("due"))
        victim.signal(signal.SIGTERM)
    eventually(lambda: not victim.alive)
    trial.start(processes=2)

    judge("F2 kill -9 at a point of a supervisor", trial, within=15)
    [strike] = [one for one in trial.books.strikes if one.kind != "poison"]
    assert strike.kind == point
    # What it held begins in time, too: behind the long one at most.
    assert _last_begin(trial) <= strike.at + RECOVERED + slack + long
    if point.startswith("stop"):
        assert trial.status("stopped") in (JobStatus.STOPPED, JobStatus.CANCELED)


def _enqueue_for(trial: Trial, point: str, long: float) -> None:
    """What has a supervisor pass the point, among others."""
    for number in range(60):
        trial.enqueue("work", f"job-{number}", long if number == 30 else 0.001)
    trial.enqueue("work", "due", delay=0.3)
    if point.startswith("settle"):
        trial.enqueue("die_once", "dies")
    if point.startswith("unlock"):  # held for as long as anything is due later
        trial.enqueue("work", LATER, delay=10)
    if point.startswith("stop"):
        trial.enqueue("work", "stopped", 30.0, expected=False)


def _last_begin(trial: Trial) -> float:
    """When the last of the jobs began that need not wait for their time."""
    return max(runs[-1].began for key, runs in trial.books.runs.items() if key != LATER)
