"""What rq's own API, `rq info` and rq-dashboard say of jobs that must all have finished."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from rq import Queue
from rq.job import Job
from rq.registry import (
    BaseRegistry,
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.serializers import JSONSerializer
from rq_dashboard import web
from rq_dashboard.cli import make_flask_app

from benchmarks.server import Server

REPORTED_WITHIN = 15.0
"""Seconds from the last job's end until everything about it must be in Redis."""
EMPTY: tuple[type[BaseRegistry], ...] = (
    StartedJobRegistry,
    FailedJobRegistry,
    DeferredJobRegistry,
    ScheduledJobRegistry,
    CanceledJobRegistry,
)
PAGE = 500
SHOWN = (
    *("count", "started_job_registry_count", "failed_job_registry_count"),
    "finished_job_registry_count",
)
"""Fields of rq-dashboard's list of queues."""
INFO = re.compile(r"^default\W+(\d+), (\d+) executing, (\d+) finished, (\d+) failed", re.MULTILINE)


def complaints(server: Server, jobs: int, result: int) -> Iterator[str]:
    """What each of the three says that is not as it must be.

    Args:
        server: where the jobs are.
        jobs: how many there were, all of the queue `default`.
        result: of each.
    """
    queue = Queue(connection=server.client, serializer=JSONSerializer)
    finished = FinishedJobRegistry(queue=queue)
    until = time.monotonic() + REPORTED_WITHIN
    while finished.get_job_count(cleanup=False) < jobs and time.monotonic() < until:
        time.sleep(0.05)
    yield from _of_the_api(queue, finished, jobs, result)
    yield from _of_the_command(server, jobs)
    yield from _of_the_dashboard(server, jobs)


def _of_the_api(
    queue: Queue, finished: FinishedJobRegistry, jobs: int, result: int
) -> Iterator[str]:
    if queue.count:
        yield f"rq's API: {queue.count} jobs still queued"
    for registry in EMPTY:
        if left := registry(queue=queue).get_job_count(cleanup=False):
            yield f"rq's API: {left} jobs in {registry.__name__}"
    ids = finished.get_job_ids(cleanup=False)
    if len(ids) != jobs:
        yield f"rq's API: {len(ids)} of {jobs} jobs in FinishedJobRegistry"
    wrong = 0
    for first in range(0, len(ids), PAGE):
        page = ids[first : first + PAGE]
        found = Job.fetch_many(page, connection=queue.connection, serializer=JSONSerializer)
        wrong += sum(job is None or not _as_it_must_be(job, result) for job in found)
    if wrong:
        yield f"rq's API: {wrong} jobs without the status or the result that they must have"


def _as_it_must_be(job: Job, result: int) -> bool:
    return job.is_finished and job.return_value() == result


def _of_the_command(server: Server, jobs: int) -> Iterator[str]:
    done = subprocess.run(
        [*(sys.executable, "-m", "rq.cli", "info"), "--url", server.url, "--only-queues"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    counts = INFO.search(done.stdout)
    if done.returncode or counts is None:
        yield f"rq info: exit code {done.returncode}: {done.stdout}{done.stderr[-500:]}"
    elif tuple(map(int, counts.groups())) != (0, 0, jobs, 0):
        yield f"rq info: {counts[0]}"


def _of_the_dashboard(server: Server, jobs: int) -> Iterator[str]:
    with _dashboard_reads_json():
        yield from _of_its_pages(server, jobs)


@contextmanager
def _dashboard_reads_json() -> Iterator[None]:
    """What `rq-dashboard --json` sets for the whole process, for a while."""
    before, web.config.serializer = web.config.serializer, JSONSerializer
    try:
        yield
    finally:
        web.config.serializer = before


def _of_its_pages(server: Server, jobs: int) -> Iterator[str]:
    app = make_flask_app(None, None, None, "")
    app.config["RQ_DASHBOARD_REDIS_URL"] = server.url
    web.setup_rq_connection(app)
    client = app.test_client()
    (queue,) = client.get("/0/data/queues.json").json["queues"]
    counts = tuple(queue[name] for name in SHOWN)
    if counts != (0, 0, 0, jobs):
        yield f"rq-dashboard: {dict(zip(SHOWN, counts, strict=True))}"
    listed = client.get("/0/data/jobs/default/finished/8/asc/1.json")
    if listed.status_code != HTTPStatus.OK or len(listed.json["jobs"]) != min(jobs, 8):
        yield f"rq-dashboard: the page of finished jobs answers {listed.status}"
        return
    shown = client.get(f"/0/data/job/{listed.json['jobs'][0]['id']}.json")
    if shown.status_code != HTTPStatus.OK:
        yield f"rq-dashboard: the page of a job answers {shown.status}"
