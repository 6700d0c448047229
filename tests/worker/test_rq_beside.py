"""Plain rq and msgqueue work the same queues, and rq's own views show ours."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from rq import Callback, Queue, Worker
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from tests.conftest import Eventually, Python
from tests.worker import pickled
from tests.worker.crew import Crew

from msgqueue import JobFailed

RQ = Path(sys.executable).parent / "rq"


def test_a_plain_rq_worker_beside_ours_runs_each_job_once(crew: Crew) -> None:
    for number in range(400):
        crew.enqueue("note", number)
    rq = subprocess.Popen(
        [RQ, "worker", "--burst", "--quiet", "--worker-class", "rq.SimpleWorker",
         "--serializer", "rq.serializers.JSONSerializer", "--url", crew.url, "default"],
        cwd=Path(__file__).parents[2],
        env=crew.environment(),
    )  # fmt: skip
    ours = crew.start(processes=1, burst=True, claim=2)

    assert ours.wait(60) == 0
    assert rq.wait(60) == 0

    assert Counter(crew.noted()) == Counter(str(number) for number in range(400))


def test_rq_lists_our_children_as_workers(crew: Crew, eventually: Eventually) -> None:
    crew.start(processes=2)
    eventually(lambda: len(Worker.all(connection=crew.redis)) == 2)

    workers = Worker.all(connection=crew.redis)

    assert {worker.get_state() for worker in workers} == {"idle"}
    assert all(worker.name.startswith("msgqueue.") for worker in workers)
    assert all(worker.queue_names() == ["high", "default"] for worker in workers)


def test_rq_shows_a_running_job_as_started_by_our_worker(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1)
    job = crew.enqueue("sleep", 3.0, "began")
    eventually(lambda: "began" in crew.noted())

    rq_job = RqJob.fetch(job.id, crew.redis, serializer=JSONSerializer)

    (worker,) = Worker.all(connection=crew.redis)
    assert rq_job.get_status() == "started"
    assert rq_job.worker_name == worker.name


def test_our_workers_leave_rqs_list_when_they_end(crew: Crew, eventually: Eventually) -> None:
    supervisor = crew.start(processes=2)
    eventually(lambda: len(Worker.all(connection=crew.redis)) == 2)

    supervisor.end()

    assert Worker.all(connection=crew.redis) == []


def test_rqs_callbacks_run_with_what_rq_gives_them(crew: Crew) -> None:
    crew.start(processes=1)

    good = crew.rq.enqueue(
        "tests.worker.app.add", 2, 3, on_success=Callback("tests.worker.app.note_success")
    )
    bad = crew.rq.enqueue(
        "tests.worker.app.fail", "oh", on_failure=Callback("tests.worker.app.note_failure")
    )

    assert crew.queue.job(good.id).result(timeout=5) == 5
    with pytest.raises(JobFailed, match="oh"):
        crew.queue.job(bad.id).result(timeout=5)
    assert crew.noted() == [f"{good.id} gave 5", f"{bad.id} raised ValueError"]


def test_a_callback_that_is_not_registered_does_not_run(crew: Crew) -> None:
    rq_job = crew.rq.enqueue("tests.worker.app.add", 2, 3, on_success=Callback("builtins.print"))
    job = crew.queue.job(rq_job.id)
    crew.offer_last(job)

    crew.start(processes=1)

    with pytest.raises(JobFailed, match=r"no task 'builtins\.print' is registered"):
        job.result(timeout=5)


def test_a_task_that_was_given_to_rq_itself_runs(crew: Crew) -> None:
    queue = Queue("default", connection=crew.redis)
    plain = queue.enqueue(pickled.add, 40, 2)
    called_back = queue.enqueue(pickled.add, 1, 2, on_success=Callback(pickled.note.path))

    command = [
        sys.executable,
        "-m",
        "msgqueue.cli",
        "worker",
        "tests.worker.pickled:queue",
        "--burst",
    ]
    env = {**crew.environment(), "MSGQUEUE_REDIS_URL": crew.url}
    subprocess.run(command, cwd=Path(__file__).parents[2], env=env, check=True, timeout=30)

    assert (plain.return_value(), called_back.return_value()) == (42, 3)


DYING = """
import os, signal, sys
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

class Dying(SimpleWorker):
    def execute_job(self, job, queue):
        if sys.argv[2] == "running":
            self.prepare_execution(job)
            self.prepare_job_execution(job, remove_from_intermediate_queue=True)
        os.kill(os.getpid(), signal.SIGKILL)

connection = Redis.from_url(sys.argv[1])
Dying(["default"], connection=connection, serializer=JSONSerializer).work(burst=True)
"""


@pytest.mark.slow
def test_what_killed_rq_workers_left_behind_is_run_or_failed(crew: Crew, python: Python) -> None:
    popped = crew.enqueue("note", "popped")
    assert python(DYING, crew.url, "popped").wait(20) == -signal.SIGKILL
    running = crew.enqueue("note", "running")
    assert python(DYING, crew.url, "running").wait(20) == -signal.SIGKILL
    assert crew.redis.lrange("rq:queue:default:intermediate", 0, -1) == [popped.id.encode()]
    wip: list[bytes] = crew.redis.zrange("rq:wip:default", 0, -1)  # type: ignore[assignment] # with scores it is another
    # As a minute and a half later.
    crew.redis.zadd("rq:wip:default", dict.fromkeys(wip, time.time() - 1))
    crew.redis.set(f"rq:queue:default:intermediate:first_seen:{popped.id}", time.time() - 61)

    crew.start(processes=1)

    popped.result(timeout=30)
    with pytest.raises(JobFailed, match="AbandonedJobError"):
        running.result(timeout=30)
    assert crew.noted() == ["popped"]
