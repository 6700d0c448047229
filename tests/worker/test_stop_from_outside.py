"""Promise 6, from outside: a job in C code is stopped over HTTP, by rq-dashboard and by rq."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from rq.command import send_stop_job_command
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from tests.conftest import Eventually
from tests.worker import plain
from tests.worker.crew import Crew
from tests.worker.deployment import Deployment

from msgqueue import TaskQueue
from msgqueue.server import create_app

PROMISED = 1.0  # seconds in which a running job is stopped
ON_A_BUSY_MACHINE = 2 * PROMISED  # and whoever looks may have to wait for a processor, too


@pytest.fixture
def api(crew: Crew) -> Iterator[TestClient]:
    with TestClient(create_app(crew.queue, auth=None), base_url="http://127.0.0.1:8080") as api:
        yield api


@pytest.mark.parametrize("task", ["power", "sleep_in_c", "power_async"])
@pytest.mark.parametrize("way", ["/v1/jobs/{}/cancel", "/app/tasks/cancel", "rq"])
def test_promise_6_a_job_in_c_code_is_stopped_from_outside(
    crew: Crew, api: TestClient, eventually: Eventually, way: str, task: str
) -> None:
    crew.start(processes=1)
    job = crew.enqueue(task, timeout=60)
    eventually(lambda: crew.noted() == ["holds"])

    if way == "rq":
        send_stop_job_command(crew.redis, job.id, serializer=JSONSerializer)
    else:
        body = None if "{}" in way else {"job_id": job.id}
        assert api.post(way.format(job.id), json=body).status_code in (200, 202)

    eventually(lambda: job.refresh().status.final, ON_A_BUSY_MACHINE)
    assert job.status == "stopped"
    assert crew.enqueue("add", 1, 1).result(timeout=10) == 2


@pytest.mark.parametrize("task", ["power", "power_async"])
def test_rq_dashboards_delete_stops_a_job_in_c_code_and_deletes_it(
    crew: Crew, api: TestClient, eventually: Eventually, task: str
) -> None:
    crew.start(processes=1)
    job = crew.enqueue(task, timeout=60)
    eventually(lambda: crew.noted() == ["holds"])

    eventually(lambda: api.post(f"/rq/job/{job.id}/delete").status_code == 200, ON_A_BUSY_MACHINE)

    assert not crew.redis.exists(f"rq:job:{job.id}")
    assert crew.redis.zcard("rq:wip:default") == 0
    assert crew.enqueue("add", 1, 1).result(timeout=10) == 2


def test_rq_dashboard_empties_the_registry_of_running_jobs_by_ending_them(
    crew: Crew, api: TestClient, eventually: Eventually
) -> None:
    crew.start(processes=2)
    jobs = [crew.enqueue("sleep", 60.0, "began") for _ in range(2)]
    eventually(lambda: crew.noted() == ["began"] * 2)

    assert api.post("/rq/queue/default/started/empty").json() == {"status": "OK"}

    eventually(lambda: crew.redis.zcard("rq:wip:default") == 0, ON_A_BUSY_MACHINE)
    assert not crew.redis.exists(*(f"rq:job:{job.id}" for job in jobs))


@pytest.mark.parametrize("way", ["/v1/jobs/{}/cancel", "/rq/job/{}/delete", "rq"])
def test_promise_6_a_job_of_rqs_own_in_c_code_is_stopped_from_outside(
    rq: Deployment, eventually: Eventually, way: str
) -> None:
    rq.start()
    job = rq.queue.enqueue(plain.power, job_timeout=60)
    eventually(lambda: rq.noted() == ["holds"])

    if way == "rq":
        send_stop_job_command(rq.redis, job.id)
    else:
        with (
            TaskQueue(rq.url) as queue,
            TestClient(create_app(queue, auth=None), base_url="http://127.0.0.1:8080") as api,
        ):
            assert api.post(way.format(job.id)).status_code in (200, 202)

    def is_over() -> bool:
        if way == "/rq/job/{}/delete":
            return not RqJob.exists(job.id, rq.redis)
        return rq.job(job).get_status() == "stopped"

    eventually(is_over, ON_A_BUSY_MACHINE)
    after = rq.queue.enqueue(plain.add, 1, 1)
    eventually(lambda: rq.job(after).get_status() == "finished")
