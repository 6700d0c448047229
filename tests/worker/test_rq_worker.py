"""`rq worker --worker-class msgqueue.RqWorker` in a deployment of plain rq."""

import os
import signal
import subprocess
import time
from pathlib import Path

from rq import Callback, Queue, Retry, Worker
from rq.command import (
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_job_command,
)
from rq.results import Result
from tests.conftest import Eventually
from tests.worker import plain
from tests.worker.deployment import Deployment


def test_plain_functions_run_with_pickled_arguments_and_results(rq: Deployment) -> None:
    jobs = [rq.queue.enqueue(plain.union, {1}, {number}) for number in range(50)]

    rq.burst()

    assert [job.return_value() for job in jobs] == [{1, number} for number in range(50)]
    assert {rq.job(job).get_status() for job in jobs} == {"finished"}


def test_a_failing_function_fails_with_its_traceback(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.fail, "no such order")

    log = rq.burst()

    result = job.latest_result()
    assert result is not None
    assert result.type is Result.Type.FAILED
    assert result.exc_string is not None
    assert result.exc_string.rstrip().endswith("ValueError: no such order")
    assert rq.job(job).get_status() == "failed"
    assert job.id in rq.queue.failed_job_registry
    assert "no such order" in log


def test_methods_coroutines_and_dotted_paths_run(rq: Deployment) -> None:
    method = rq.queue.enqueue(plain.Counter(40).plus, 2)
    coroutine = rq.queue.enqueue(plain.double, 21)
    path = rq.queue.enqueue("tests.worker.plain.add", 40, 2)

    rq.burst()

    assert [job.return_value() for job in (method, coroutine, path)] == [42, 42, 42]


def test_get_current_job_works_inside(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.own_id)

    rq.burst()

    assert job.return_value() == job.id
    assert rq.job(job).meta == {"seen": True}


def test_one_worker_is_registered_by_the_name_that_was_asked_for(
    rq: Deployment, eventually: Eventually
) -> None:
    process = rq.start("--name", "accounts-1", queues=("high", "default"))
    job = rq.queue.enqueue(plain.sleep, 1, "began")
    eventually(lambda: rq.noted() == ["began"])

    (worker,) = Worker.all(connection=rq.redis)

    assert (worker.name, worker.pid) == ("accounts-1", process.pid)
    assert worker.queue_names() == ["high", "default"]
    assert rq.job(job).worker_name == "accounts-1"
    eventually(lambda: rq.job(job).get_status() == "finished")
    result = job.latest_result()
    assert result is not None
    assert result.worker_name == "accounts-1"


def test_a_second_worker_of_a_name_that_is_alive_is_refused(
    rq: Deployment, eventually: Eventually
) -> None:
    rq.start("--name", "accounts-1")
    eventually(lambda: Worker.count(connection=rq.redis) == 1)

    log = _refusal(rq.start("--name", "accounts-1"))

    assert "There exists an active worker named 'accounts-1' already" in log


def test_a_worker_that_was_killed_starts_again_under_its_name_at_once(
    rq: Deployment, eventually: Eventually
) -> None:
    first = rq.start("--name", "accounts-1")
    eventually(lambda: Worker.count(connection=rq.redis) == 1)
    first.kill()
    first.wait()

    rq.start("--name", "accounts-1")
    job = rq.queue.enqueue(plain.add, 1, 2)

    eventually(lambda: rq.job(job).get_status() == "finished")


def test_rqs_shutdown_command_ends_the_worker_after_its_job(
    rq: Deployment, eventually: Eventually
) -> None:
    process = rq.start("--name", "w")
    job = rq.queue.enqueue(plain.sleep, 1, "began")
    eventually(lambda: rq.noted() == ["began"])

    send_shutdown_command(rq.redis, "w")

    assert process.wait(20) == 0
    assert rq.job(job).get_status() == "finished"
    assert Worker.count(connection=rq.redis) == 0


def test_rqs_stop_command_stops_the_job_and_runs_its_callback(
    rq: Deployment, eventually: Eventually
) -> None:
    rq.start()
    job = rq.queue.enqueue(plain.sleep, 60, "began", on_stopped=Callback(plain.stopped))
    eventually(lambda: rq.noted() == ["began"])

    send_stop_job_command(rq.redis, job.id)

    eventually(lambda: rq.job(job).get_status() == "stopped")
    eventually(lambda: rq.noted() == ["began", f"{job.id} stopped"])
    result = job.latest_result()
    assert result is not None
    assert result.type is Result.Type.STOPPED


def test_a_job_whose_process_dies_fails_at_once_and_the_next_one_runs(rq: Deployment) -> None:
    dead = rq.queue.enqueue(plain.die)
    next_one = rq.queue.enqueue(plain.add, 1, 2)

    log = rq.burst()

    assert rq.job(dead).get_status() == "failed"
    assert next_one.return_value() == 3
    (line,) = (line for line in log.splitlines() if "worker died" in line)
    assert dead.id in line
    assert "exit code 7" in line


def test_rqs_kill_horse_command_fails_the_job_or_retries_it_if_it_has_retry(
    rq: Deployment, eventually: Eventually
) -> None:
    rq.start("--name", "w")
    job = rq.queue.enqueue(plain.sleep, 60, "began", retry=Retry(1))
    for times in (1, 2):
        eventually(lambda times=times: rq.noted() == ["began"] * times)
        send_kill_horse_command(rq.redis, "w")

    eventually(lambda: rq.job(job).get_status() == "failed")


def test_jobs_share_a_warm_process(rq: Deployment) -> None:
    jobs = [rq.queue.enqueue(plain.pids) for _ in range(3)]

    rq.burst()

    assert len({job.return_value() for job in jobs}) == 1


def test_a_stop_costs_one_process(rq: Deployment, eventually: Eventually) -> None:
    worker = rq.start()
    job = rq.queue.enqueue(plain.sleep, 60, "began")
    eventually(lambda: rq.noted() == ["began"])
    send_stop_job_command(rq.redis, job.id)
    next_one = rq.queue.enqueue(plain.add, 1, 2)
    eventually(lambda: rq.job(next_one).get_status() == "finished")

    worker.send_signal(signal.SIGTERM)

    log, _ = worker.communicate(timeout=20)
    assert log.decode().count("worker died") == 1


def test_sigterm_lets_the_running_job_end(rq: Deployment, eventually: Eventually) -> None:
    process = rq.start()
    job = rq.queue.enqueue(plain.sleep, 1.5, "began")
    waiting = rq.queue.enqueue(plain.add, 1, 2)
    eventually(lambda: rq.noted() == ["began"])

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert rq.job(job).get_status() == "finished"
    assert rq.job(waiting).get_status() == "queued"


def test_a_job_of_ours_and_one_of_rqs_run_in_order_of_priority(rq: Deployment) -> None:
    high = Queue("high", connection=rq.redis)
    low = [rq.queue.enqueue(plain.note, f"low {n}") for n in range(3)]
    high.enqueue(plain.note, "high")

    rq.burst(queues=("high", "default"))

    assert rq.noted() == ["high", *(f"low {n}" for n in range(len(low)))]


def test_the_time_limit_raises_rqs_exception(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.sleep, 30, job_timeout=1)
    begun = time.monotonic()

    rq.burst()

    assert time.monotonic() - begun < 10
    result = job.latest_result()
    assert result is not None
    assert "rq.timeouts.JobTimeoutException: Task exceeded maximum timeout value" in str(
        result.exc_string
    )


def test_rqs_views_show_a_running_job_within_a_second(
    rq: Deployment, eventually: Eventually
) -> None:
    rq.start("--name", "w")
    job = rq.queue.enqueue(plain.sleep, 60, "began")
    eventually(lambda: rq.noted() == ["began"])

    eventually(lambda: Worker.all(connection=rq.redis)[0].get_state() == "busy", within=1)

    (execution,) = rq.job(job).get_executions()
    assert execution.worker_name == "w"
    assert Worker.all(connection=rq.redis)[0].get_current_job_id() == job.id


def test_a_job_class_with_keys_of_its_own_is_refused(rq: Deployment) -> None:
    log = _refusal(rq.start("--job-class", "tests.worker.plain.FarJob"))

    assert "FarJob keeps its keys under 'far:job:'" in log


def test_a_job_whose_worker_was_killed_whole_fails_or_is_retried_and_others_run(
    rq: Deployment, eventually: Eventually
) -> None:
    first = rq.start()
    once = rq.queue.enqueue(plain.sleep, 60, "began")
    waiting = [rq.queue.enqueue(plain.add, 1, 2) for _ in range(3)]
    eventually(lambda: rq.noted() == ["began"])
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    for pid in (first.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)

    rq.start()

    eventually(lambda: rq.job(once).get_status() == "failed")
    eventually(lambda: {rq.job(job).get_status() for job in waiting} == {"finished"})
    assert rq.noted() == ["began"]


def test_a_worker_whose_key_is_of_another_type_registers_anew_and_tells_of_it_once(
    rq: Deployment, eventually: Eventually
) -> None:
    process = rq.start("--name", "w")
    eventually(lambda: rq.redis.exists("rq:worker:w"))
    jobs = [rq.queue.enqueue(plain.sleep, 1, "began"), rq.queue.enqueue(plain.add, 1, 2)]
    eventually(lambda: rq.noted() == ["began"])

    rq.redis.eval(
        "redis.call('DEL', KEYS[1]); redis.call('SET', KEYS[1], 'no hash')", 1, "rq:worker:w"
    )

    eventually(lambda: {rq.job(job).get_status() for job in jobs} == {"finished"})
    assert Worker.all(connection=rq.redis)[0].pid == process.pid
    process.terminate()
    log, _ = process.communicate(timeout=20)
    assert log.count(b"worker key of another type replaced") == 1
    assert rq.noted() == ["began"]


def _refusal(worker: subprocess.Popen[bytes]) -> str:
    """What a worker logs that refuses to start."""
    log, _ = worker.communicate(timeout=30)
    assert worker.returncode == 1
    return log.decode()
