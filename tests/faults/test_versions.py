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

books, name = Books(Path(sys.argv[1])), sys.argv[2]
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

    def enqueue(self, name: str, task: str) -> list[str]:
        """Have this version enqueue twenty jobs of one of its tasks; their ids."""
        env = {"MSGQUEUE_REDIS_URL": self._trial.url, **finds(self._folders[name])}
        command = [sys.executable, "-c", ENQUEUE, str(self._trial.books.folder), task]
        subprocess.run(command, env={**os.environ, **env}, check=True)
        return [f"{task}-{number}" for number in range(20)]


@pytest.fixture
def versions(trial: Trial, tmp_path: Path) -> Versions:
    return Versions(trial, tmp_path)


def wait_for_status(trial: Trial, keys: list[str], status: JobStatus) -> None:
    """Wait until all of these stand so."""
    wait_until(lambda: all(trial.status(key) is status for key in keys), 20, f"all {status}")


def why(trial: Trial, key: str) -> str:
    """What a failed job says."""
    with trial.speaking(), pytest.raises(JobFailed) as failed:
        app.queue.job(key).result(timeout=1)
    return str(failed.value)


def leave(supervisor: Launched) -> None:
    """Have it drain."""
    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0


@pytest.mark.faults
def test_promise_11_a_task_that_only_the_new_version_knows_waits_for_it_by_its_retry(
    trial: Trial, judge: Judge, versions: Versions
) -> None:
    """Without a Retry it fails, says why, and runs once it is retried by hand."""
    old = versions.start("old", processes=2)
    waiting = versions.enqueue("new", "ship")
    failing = versions.enqueue("new", "ship_once")
    wait_for_status(trial, failing, JobStatus.FAILED)
    wait_for_status(trial, waiting, JobStatus.SCHEDULED)
    assert "UnknownTask: no task 'release.ship_once' is registered" in why(trial, failing[0])

    versions.start("new", processes=2)
    leave(old)
    with trial.speaking():
        for key in failing:
            app.queue.retry(key)

    verdict = judge("F19 a task that the old version lacks", trial, within=60)
    assert verdict.ok == 40
    assert verdict.duplicated == ()


@pytest.mark.faults
def test_promise_11_a_call_that_the_new_version_refuses_runs_where_the_old_one_comes_back(
    trial: Trial, judge: Judge, versions: Versions
) -> None:
    """Without a Retry it fails and says which argument is missing."""
    new = versions.start("new", processes=2)
    waiting = versions.enqueue("old", "bill")
    failing = versions.enqueue("old", "bill_once")
    wait_for_status(trial, failing, JobStatus.FAILED)
    wait_for_status(trial, waiting, JobStatus.SCHEDULED)
    assert "cents" in why(trial, failing[0])

    versions.start("old", processes=2)
    leave(new)
    with trial.speaking():
        for key in failing:
            app.queue.retry(key)

    verdict = judge("F19 a call that the new version refuses", trial, within=60)
    assert verdict.ok == 40
    assert verdict.duplicated == ()


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
            versions.enqueue("new", "ship")
        leave(old)

    assert judge("F19 rolling change of versions", trial, within=90).duplicated == ()
