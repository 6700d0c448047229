"""What rq promises of its jobs holds with our worker class, too."""

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import rq as rq_package
from rq import Callback, Queue, Repeat, Retry
from rq.command import send_stop_job_command
from rq.job import Dependency, Job
from rq.results import Result
from tests.conftest import Eventually
from tests.worker import plain
from tests.worker.deployment import Deployment


def status(rq: Deployment, job: Job) -> str:
    return str(rq.job(job).get_status().value)


def test_callbacks_run_with_what_rq_gives_them(rq: Deployment) -> None:
    good = rq.queue.enqueue(plain.add, 1, 2, on_success=Callback(plain.succeeded))
    bad = rq.queue.enqueue(plain.fail, "oh", on_failure=Callback(plain.failed))

    rq.burst()

    assert rq.noted() == [f"{good.id} gave 3", f"{bad.id} raised ValueError"]
    assert (status(rq, good), status(rq, bad)) == ("finished", "failed")


def test_a_success_callback_that_fails_fails_its_job(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.add, 1, 2, on_success=Callback(plain.broken))

    rq.burst()

    assert status(rq, job) == "failed"
    result = job.latest_result()
    assert result is not None
    assert "the callback is broken" in str(result.exc_string)


def test_a_failure_callback_has_its_own_time_after_the_jobs_has_run_out(rq: Deployment) -> None:
    job = rq.queue.enqueue(
        plain.sleep, 30, job_timeout=1, on_failure=Callback(plain.slow_failed, timeout=10)
    )
    next_one = rq.queue.enqueue(plain.add, 1, 2, job_timeout=1)

    rq.burst()

    assert rq.noted() == [f"{job.id} raised JobTimeoutException"]
    assert (status(rq, job), next_one.return_value()) == ("failed", 3)


def test_a_callback_has_a_time_limit(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.fail, "oh", on_failure=Callback(plain.slow_failed, timeout=1))
    next_one = rq.queue.enqueue(plain.sleep, 1.5, job_timeout=5)

    rq.burst()

    assert rq.noted() == []
    assert (status(rq, job), status(rq, next_one)) == ("failed", "finished")


def test_a_job_may_clean_up_when_its_time_has_run_out(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.catch_timeout, job_timeout=1)

    rq.burst()

    assert rq.noted() == ["cleaned up"]
    assert status(rq, job) == "failed"


def test_a_chain_of_dependents_runs_in_one_burst(rq: Deployment) -> None:
    first = rq.queue.enqueue(plain.note, "first")
    second = rq.queue.enqueue(plain.note, "second", depends_on=first)
    rq.queue.enqueue(plain.note, "third", depends_on=[first, second])

    rq.burst()

    assert rq.noted() == ["first", "second", "third"]


def test_dependents_of_a_failed_job_run_where_that_is_allowed(rq: Deployment) -> None:
    bad = rq.queue.enqueue(plain.fail, "oh")
    allowed = Dependency(jobs=[bad], allow_failure=True)
    runs = rq.queue.enqueue(plain.note, "ran", depends_on=allowed)
    waits = rq.queue.enqueue(plain.note, "not this", depends_on=bad)

    rq.burst()

    assert rq.noted() == ["ran"]
    assert (status(rq, runs), status(rq, waits)) == ("finished", "deferred")


def test_a_dependent_in_another_queue_is_queued_there(rq: Deployment) -> None:
    first = rq.queue.enqueue(plain.nothing)
    other = Queue("other", connection=rq.redis)
    second = other.enqueue(plain.nothing, depends_on=first)

    rq.burst()

    assert other.job_ids == [second.id]


def test_a_failed_job_is_retried_as_its_retry_says(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.fail, "oh", retry=Retry(max=2))

    rq.burst()

    assert status(rq, job) == "failed"
    assert rq.job(job).retries_left == 0


def test_a_job_that_returns_a_retry_runs_again_so_often(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.again, 2)

    rq.burst()

    assert rq.noted() == ["run"] * 3
    assert status(rq, job) == "failed"
    kinds = [result.type for result in reversed(Result.all(job))]
    assert kinds == [Result.Type.RETRIED, Result.Type.RETRIED, Result.Type.MAX_RETRIES_EXCEEDED]


def test_a_job_repeats(rq: Deployment) -> None:
    rq.queue.enqueue(plain.note, "again", repeat=Repeat(times=2))

    rq.burst()

    assert rq.noted() == ["again"] * 3


class Listener:
    """Hears webhooks."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                heard.append(json.loads(self.rfile.read(length)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


def test_webhooks_are_sent_once_the_job_has_ended(rq: Deployment, listener: Listener) -> None:
    hooks = [
        rq_package.Webhook(listener.url, "finished", method="POST"),
        rq_package.Webhook(listener.url, "failed", method="POST"),
    ]
    good = rq.queue.enqueue(plain.add, 1, 2, webhooks=hooks, result_ttl=0)
    bad = rq.queue.enqueue(plain.fail, "oh", webhooks=hooks, retry=Retry(1))
    dead = rq.queue.enqueue(plain.die, webhooks=hooks)

    rq.burst()

    told = [(one["job_id"], one["status"]) for one in listener.heard]
    assert told == [(good.id, "finished"), (dead.id, "failed"), (bad.id, "failed")]
    assert "ValueError: oh" in listener.heard[2]["exc_info"]


def test_a_failed_job_with_a_failure_ttl_of_0_is_deleted_at_once(rq: Deployment) -> None:
    gone = rq.queue.enqueue(plain.fail, "oh", failure_ttl=0)
    tired = rq.queue.enqueue(plain.again, 1, failure_ttl=0)
    dead = rq.queue.enqueue(plain.die, failure_ttl=0)
    needed = rq.queue.enqueue(plain.fail, "oh", failure_ttl=0)
    waits = rq.queue.enqueue(plain.nothing, depends_on=needed)

    rq.burst()

    assert not rq.redis.exists(*(f"rq:job:{job.id}" for job in (gone, tired, dead)))
    assert rq.redis.keys("rq:results:*") == [f"rq:results:{needed.id}".encode()]
    assert rq.queue.failed_job_registry.get_job_ids() == [needed.id]
    assert status(rq, waits) == "deferred"


@pytest.mark.skipif(not hasattr(rq_package, "RateLimit"), reason="rq 2 has no rate limits")
def test_jobs_of_a_rate_limit_give_way_to_one_another(rq: Deployment) -> None:
    limit = rq_package.RateLimit("shop", 1)
    jobs = [rq.queue.enqueue(plain.note, n, rate_limit=limit) for n in range(3)]
    dies = rq.queue.enqueue(plain.die, rate_limit=limit)
    last = rq.queue.enqueue(plain.note, "last", rate_limit=limit)
    assert [status(rq, job) for job in jobs] == ["queued", "rate_limited", "rate_limited"]

    rq.burst()

    assert sorted(rq.noted()) == ["0", "1", "2", "last"]
    assert (status(rq, dies), status(rq, last)) == ("failed", "finished")


def test_a_class_that_overrides_rqs_methods_is_heeded_and_told(rq: Deployment) -> None:
    job = rq.queue.enqueue(plain.add, 1, 2)

    log = rq.burst("--worker-class", "tests.worker.plain.OwnWorker")

    assert rq.noted() == ["perform", f"success of {job.id}"]
    assert job.return_value() == 3
    assert "OwnWorker.perform_job, OwnWorker.handle_job_success are overridden or replaced" in log
    assert "OwnWorker.main_work_horse is overridden or replaced, and not called" in log


def test_jobs_that_die_under_rqs_path_fail_and_the_next_one_runs(rq: Deployment) -> None:
    dead = rq.queue.enqueue(plain.die, on_success=Callback(plain.succeeded))
    good = rq.queue.enqueue(plain.add, 1, 2, on_success=Callback(plain.succeeded))

    rq.burst()

    assert (status(rq, dead), status(rq, good)) == ("failed", "finished")


def test_the_handler_of_killed_work_horses_hears_of_jobs_whose_process_ended(
    rq: Deployment,
) -> None:
    dead = rq.queue.enqueue(plain.die)
    late = rq.queue.enqueue(plain.sleep_deaf, job_timeout=1)
    good = rq.queue.enqueue(plain.add, 1, 2)

    log = rq.burst("--worker-class", "tests.worker.plain.WatchedWorker")

    assert rq.noted() == [f"{dead.id} killed: 7, True, True", f"{late.id} killed: -9, True, True"]
    assert (status(rq, dead), status(rq, late), status(rq, good)) == ("failed",) * 2 + ("finished",)
    assert "WatchedWorker.heartbeat is overridden or replaced, and not called" in log


def test_what_follows_a_death_is_done_though_the_worker_ends_with_it(rq: Deployment) -> None:
    dead = rq.queue.enqueue(plain.die)

    rq.burst("--worker-class", "tests.worker.plain.WatchedWorker", "--max-jobs", "1")

    assert rq.noted() == [f"{dead.id} killed: 7, True, True"]


def test_a_stop_while_the_worker_drains_runs_the_callback(
    rq: Deployment, eventually: Eventually
) -> None:
    worker = rq.start("--name", "w")
    job = rq.queue.enqueue(plain.sleep, 60, "began", on_stopped=Callback(plain.stopped))
    eventually(lambda: rq.noted() == ["began"])
    worker.send_signal(signal.SIGTERM)
    eventually(lambda: rq.redis.hexists("rq:worker:w", "shutdown_requested_date"))

    send_stop_job_command(rq.redis, job.id)

    assert worker.wait(20) == 0
    assert rq.noted() == ["began", f"{job.id} stopped"]
    assert status(rq, job) == "stopped"


def test_djangos_old_connections_are_closed_before_and_after_a_job(rq: Deployment) -> None:
    rq.queue.enqueue(plain.load_django)
    rq.queue.enqueue(plain.note, "job")

    rq.burst()

    assert rq.noted() == ["closed", "closed", "job", "closed"]


def test_django_that_was_imported_without_a_project_disturbs_no_job(rq: Deployment) -> None:
    first = rq.queue.enqueue(plain.load_django, configured=False)
    second = rq.queue.enqueue(plain.note, "job")

    rq.burst()

    assert (status(rq, first), status(rq, second)) == ("finished", "finished")
