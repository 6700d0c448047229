"""Promises 1 and 11 while two versions of an application work beside each other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults import app
from tests.faults.conftest import Judge
from tests.faults.launched import Launched, finds
from tests.faults.trial import Trial
from tests.patience import wait_until

from msgqueue import JobFailed, JobStatus

#: Both add to the tasks of `app`.
VERSIONS = {
    "old": """
from msgqueue import Retry
from tests.faults.app import noted, queue

@queue.task(retry=Retry(max=4, backoff=1.0))
def bill(key: str) -> str:
    with noted(key):
        return "old"

@queue.task
def bill_once(key: str) -> str:
    with noted(key):
        return "old"

@queue.task
async def bill_later(key: str) -> str:
    with noted(key):
        return "old"
""",
    "new": """
from msgqueue import Retry
from tests.faults.app import noted, queue

@queue.task(retry=Retry(max=4, backoff=1.0))
def bill(key: str, *, cents: int) -> str:
    with noted(key):
        return "new"

@queue.task
def bill_once(key: str, *, cents: int) -> str:
    with noted(key):
        return "new"

@queue.task
async def bill_later(key: str, *, cents: int) -> str:
    with noted(key):
        return "new"

@queue.task(retry=Retry(max=4, backoff=1.0))
def ship(key: str) -> str:
    with noted(key):
        return "new"

@queue.task
def ship_once(key: str) -> str:
    with noted(key):
        return "new"
""",
}

ENQUEUE = """
import sys
from pathlib import Path
import release
from tests.faults.ledger import Books

books = Books(Path(sys.argv[1]))
for name in sys.argv[2:]:
    task = getattr(release, name)
    for number in range(20):
        key = f"{name}-{number}"
        books.attempt(key)
        task.options(job_id=key, queue=("first", "second")[number % 2]).enqueue(key)
        books.acknowledge([key])
"""


class Versions:
    """Two versions of one application, and programs that run either."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        self._trial = trial
        self._folders = {name: folder / name for name in VERSIONS}
        for name, code in VERSIONS.items():
            self._folders[name].mkdir()
            (self._folders[name] / "release.py").write_text(code)

    def start(self, name: str, **options: object) -> Launched:
        """Start a supervisor of this version."""
        env = {"MSGQUEUE_REDIS_URL": self._trial.url, **self._trial.books.environment}
        started = Launched(env, dict(options), self._folders[name], module="release")
        self._trial.supervisors.append(started)
        return started

    def enqueue(self, name: str, *tasks: str) -> list[str]:
        """Have this version enqueue twenty jobs of each of these tasks; their ids."""
        env = {"MSGQUEUE_REDIS_URL": self._trial.url, **finds(self._folders[name])}
        command = [sys.executable, "-c", ENQUEUE, str(self._trial.books.folder), *tasks]
        subprocess.run(command, env={**os.environ, **env}, check=True)
        return [f"{task}-{number}" for task in tasks for number in range(20)]


@pytest.fixture
def versions(trial: Trial, tmp_path: Path) -> Versions:
    return Versions(trial, tmp_path)


def wait_for_status(trial: Trial, keys: list[str], status: JobStatus) -> None:
    """Wait until all of these stand so."""
    wait_until(lambda: all(trial.status(key) is status for key in keys), 20, f"all {status}")


def leave(supervisor: Launched) -> None:
    """Have it drain."""
    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0


#: What happens; whose workers are there first, who enqueues, and which tasks.
UNKNOWN = (
    ("a task that the old version lacks", "old", "new", ("ship", "ship_once")),
    ("a call that the new version refuses", "new", "old", ("bill", "bill_once", "bill_later")),
)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("what", "there", "enqueues", "tasks"), UNKNOWN, ids=[what for what, *_ in UNKNOWN]
)
def test_promise_11_what_the_workers_there_cannot_carry_out_waits_for_those_that_can(
    trial: Trial,
    judge: Judge,
    versions: Versions,
    what: str,
    there: str,
    enqueues: str,
    tasks: tuple[str, ...],
) -> None:
    """With a Retry and without, and none of it is used up."""
    first = versions.start(there, processes=2)
    waiting = versions.enqueue(enqueues, *tasks)
    wait_for_status(trial, waiting, JobStatus.SCHEDULED)

    versions.start(enqueues, processes=2)
    leave(first)

    verdict = judge(f"F19 {what}", trial, within=60)
    assert verdict.ok == len(waiting)
    assert verdict.duplicated == ()
    with trial.speaking():
        infos = [app.queue.job(key).info for key in waiting]
    assert {info.attempt for info in infos if info} == {1}


@pytest.mark.faults
def test_promise_11_a_task_that_no_version_knows_fails_once_it_was_offered_for_a_minute(
    trial: Trial, versions: Versions
) -> None:
    versions.start("old", processes=2)
    key, *_ = versions.enqueue("new", "ship_once")
    wait_for_status(trial, [key], JobStatus.SCHEDULED)

    def failed_early() -> bool:
        trial.client.zadd("rq:scheduled:first", {key: 0}, xx=True)  # it need not wait for its time
        return trial.status(key) is JobStatus.FAILED

    wait_until(failed_early, 30, pause=0.05)
    with trial.speaking(), pytest.raises(JobFailed) as failed:
        app.queue.job(key).result(timeout=1)
    told = str(failed.value)
    assert "UnknownTask: no task 'release.ship_once' is registered" in told
    assert "It was offered to workers 6 times, over more than 60 s" in told


@pytest.mark.faults
def test_promise_1_a_rolling_change_of_versions_loses_and_repeats_nothing(
    trial: Trial, judge: Judge, versions: Versions
) -> None:
    """Both work on the same queues for a while, and either enqueues what it knows."""
    leaving = [versions.start("old", processes=1) for _ in range(3)]
    wait_until(lambda: len(trial.children()) == 3, 20, "all children")
    trial.produce(2000, seconds=0.02, pause=0.02)
    for old in leaving:
        trial.wait_for_acknowledged(200)
        versions.start("new", processes=1)
        if old is leaving[0]:
            versions.enqueue("new", "ship_once")
        leave(old)

    assert judge("F19 rolling change of versions", trial, within=90).duplicated == ()
