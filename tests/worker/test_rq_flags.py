"""The flags of `rq worker` mean with our class what they mean with rq's."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from tests.conftest import Eventually
from tests.worker import plain
from tests.worker.deployment import Deployment


def test_exception_handlers_run_in_order_until_one_ends_it(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.fail, "oh")

    rq.burst(
        *("--exception-handler", "tests.worker.plain.handle"),
        *("--exception-handler", "tests.worker.plain.handle_too"),
    )

    assert rq.noted() == [f"handled ValueError of {job.id}"]
    assert rq.job(job).get_status() == "failed"


def test_without_the_default_handler_a_failed_job_is_in_no_registry(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.fail, "oh")

    rq.burst("--disable-default-exception-handler")

    assert rq.job(job).get_status() == "failed"
    assert job.id not in rq.queue.failed_job_registry
    assert job.latest_result() is None


@pytest.mark.parametrize("enqueued", [2, 5])
def test_max_jobs_ends_the_worker_after_so_many(rq: Deployment, enqueued: int) -> None:
    jobs = [rq.queue.enqueue(plain.nothing) for _ in range(enqueued)]

    worker = rq.start("--max-jobs", "2")

    assert worker.wait(20) == 0
    statuses = [rq.job(job).get_status() for job in jobs]
    assert statuses == ["finished"] * 2 + ["queued"] * (enqueued - 2)


def test_max_jobs_counts_a_job_whose_process_dies(rq: Deployment) -> None:
    jobs = [rq.queue.enqueue(plain.die) for _ in range(3)]

    assert rq.start("--max-jobs", "2").wait(20) == 0

    assert [rq.job(job).get_status() for job in jobs] == ["failed", "failed", "queued"]


def test_max_idle_time_ends_a_worker_that_had_nothing_to_do(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.sleep, 2)
    begun = time.monotonic()

    worker = rq.start("--max-idle-time", "1")

    assert worker.wait(20) == 0
    assert time.monotonic() - begun > 3
    assert rq.job(job).get_status() == "finished"


def test_due_jobs_are_queued_with_the_scheduler_alone(rq: Deployment) -> None:
    job = rq.queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=5), plain.nothing)

    rq.burst()
    assert rq.job(job).get_status() == "scheduled"
    rq.burst("--with-scheduler")
    assert rq.job(job).get_status() == "finished"


def test_a_job_that_becomes_due_is_queued_at_its_time(
    rq: Deployment, eventually: Eventually
) -> None:
    rq.start("--with-scheduler")
    job = rq.queue.enqueue_in(timedelta(seconds=2), plain.nothing)

    eventually(lambda: rq.job(job).get_status() == "finished")


def test_a_job_class_that_runs_its_jobs_is_heeded_and_told(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.add, 1, 2)

    log = rq.burst("--job-class", "tests.worker.plain.LoudJob")

    assert rq.noted() == ["performed"]
    assert job.return_value() == 3
    assert "LoudJob.perform is overridden or replaced: jobs take rq's own path" in log


def test_a_queue_class_is_taken(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.add, 1, 2)

    rq.burst("--queue-class", "tests.worker.plain.NamedQueue")

    assert job.return_value() == 3


def test_a_serializer_is_taken(rq: Deployment) -> None:
    queue = Queue("json", connection=rq.redis, serializer=JSONSerializer)
    job = queue.enqueue("tests.worker.plain.add", 1, 2)

    rq.burst("--serializer", "rq.serializers.JSONSerializer", queues=("json",))

    assert rq.redis.hget(job.key, "status") == b"finished"
    assert job.return_value() == 3


def test_results_ttl_is_for_jobs_that_say_nothing_of_it(rq: Deployment) -> None:
    short, own = rq.queue.enqueue(plain.nothing), rq.queue.enqueue(plain.nothing, result_ttl=90)

    rq.burst("--results-ttl", "30")

    assert 20 <= rq.redis.ttl(short.key) <= 30
    assert 80 <= rq.redis.ttl(own.key) <= 90


def test_round_robin_takes_a_job_of_each_queue_in_turn(rq: Deployment) -> None:
    names = ("a", "b", "c")
    for name in names:
        for number in range(3):
            Queue(name, connection=rq.redis).enqueue(plain.note, f"{name}{number}")

    rq.burst("--dequeue-strategy", "round_robin", queues=names)

    assert rq.noted() == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_random_takes_the_queues_in_any_order(rq: Deployment) -> None:
    names = ("a", "b", "c", "d")
    for name in names:
        for number in range(8):
            Queue(name, connection=rq.redis).enqueue(plain.note, f"{name}{number}")

    rq.burst("--dequeue-strategy", "random", queues=names)

    assert rq.noted() != sorted(rq.noted())
    assert len(rq.noted()) == 32


def test_the_log_tells_of_jobs_in_rqs_words(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.add, 1, 2)

    log = rq.burst("--name", "w", "--log-format", "%(levelname)s|%(message)s")

    assert f"INFO|Worker w: default: tests.worker.plain.add(1, 2) ({job.id})" in log
    assert f"INFO|Worker w: default: Job OK ({job.id})" in log


def test_descriptions_can_be_left_out_of_the_log(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.add, 1, 2)

    log = rq.burst("--disable-job-desc-logging")

    assert "add(1, 2)" not in log
    assert job.id in log


def test_a_quiet_worker_logs_nothing_of_a_good_job(rq: Deployment) -> None:
    rq.queue.enqueue(plain.add, 1, 2)

    assert rq.burst("--quiet") == ""


def test_a_file_of_settings_is_read(rq: Deployment, eventually: Eventually) -> None:
    rq.start("--config", "tests.worker.plain", queues=())
    eventually(lambda: Worker.count(connection=rq.redis) == 1)

    (worker,) = Worker.all(connection=rq.redis)

    assert (worker.name, worker.queue_names()) == ("of-the-file", ["from-file"])


def test_the_pid_is_written_to_a_file(rq: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    worker = rq.start("--burst", "--pid", str(path))
    worker.communicate(timeout=20)
    assert path.read_text() == str(worker.pid)


def test_worker_ttl_and_monitoring_interval_are_accepted(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.add, 1, 2)

    rq.burst("--worker-ttl", "60", "--job-monitoring-interval", "5", "--maintenance-interval", "9")

    assert job.return_value() == 3


def test_a_burst_ends_while_workers_are_suspended(rq: Deployment) -> None:
    rq.queue.enqueue(plain.nothing)
    worker = rq.start()
    os.kill(worker.pid, 0)
    rq.redis.set("rq:suspended", 1)

    log = rq.start("--burst").communicate(timeout=20)[0]

    assert b"suspended" in log
