"""The API under /v1, from the outside."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.server.conftest import HEADERS, KEY, Hand

from msgqueue import TaskQueue
from msgqueue.server import ApiKeys, create_router


def enqueue(api: TestClient, **body: object) -> str:
    answer = api.post("/v1/jobs", json={"task": "add", "args": [2, 3], **body})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_a_job_is_accepted_and_its_location_shows_it(api: TestClient) -> None:
    answer = api.post("/v1/jobs", json={"task": "add", "args": [2], "kwargs": {"second": 3}})

    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    job = api.get(answer.headers["location"]).json()
    assert job["id"] == answer.json()["id"]
    assert (job["task"], job["queue"], job["status"]) == ("add", "default", "queued")
    assert (job["result"], job["error"], job["attempt"]) == (None, None, 0)


def test_a_finished_job_shows_its_result(api: TestClient, hand: Hand) -> None:
    job_id = enqueue(api)
    hand.end("ok", b"5")

    job = api.get(f"/v1/jobs/{job_id}").json()

    assert (job["status"], job["result"], job["attempt"]) == ("finished", 5, 1)


def test_a_failed_job_shows_type_and_message_and_no_traceback(api: TestClient, hand: Hand) -> None:
    job_id = enqueue(api)
    hand.end("error", b"Traceback (most recent call last):\n  File \"x\"\nKeyError: 'a'\n")

    answer = api.get(f"/v1/jobs/{job_id}")

    assert answer.json()["error"] == {"type": "KeyError", "message": "'a'"}
    assert "Traceback" not in answer.text


def test_options_of_a_job_are_taken(api: TestClient) -> None:
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    enqueue(api, job_id="my-job", queue="high", at=at, meta={"shop": 7}, description="an order")

    job = api.get("/v1/jobs/my-job").json()
    assert (job["queue"], job["status"]) == ("high", "scheduled")
    assert (job["meta"], job["description"]) == ({"shop": 7}, "an order")


def test_an_id_that_is_alive_is_answered_with_the_living_job(api: TestClient) -> None:
    enqueue(api, job_id="once", delay=60)

    answer = api.post("/v1/jobs", json={"task": "add", "args": [1, 1], "job_id": "once"})

    assert answer.json() == {"id": "once", "status": "scheduled"}


def test_a_list_is_read_page_by_page_newest_first(api: TestClient) -> None:
    ids = [enqueue(api) for _ in range(5)]
    seen: list[str] = []
    url = "/v1/jobs?status=queued&limit=2"

    while url:
        answer = api.get(url)
        seen += [job["id"] for job in answer.json()["items"]]
        link = answer.headers.get("link", "")
        assert bool(link) == (answer.json()["next_cursor"] is not None)
        url = link.removeprefix("<").partition(">")[0]

    assert seen == ids[::-1]


def test_a_list_can_be_of_one_queue(api: TestClient) -> None:
    enqueue(api)
    high = enqueue(api, queue="high")

    items = api.get("/v1/jobs", params={"queue": "high"}).json()["items"]

    assert [job["id"] for job in items] == [high]


def test_a_list_shows_neither_arguments_nor_results(api: TestClient, hand: Hand) -> None:
    enqueue(api)
    hand.end("ok", b"5")

    (job,) = api.get("/v1/jobs", params={"status": "finished"}).json()["items"]

    assert not {"args", "kwargs", "result", "data"} & job.keys()


def test_cancelling_a_waiting_job_is_done_at_once(api: TestClient) -> None:
    job_id = enqueue(api)

    answer = api.post(f"/v1/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()) == (200, {"id": job_id, "status": "canceled"})


def test_cancelling_a_running_job_is_accepted(api: TestClient, hand: Hand) -> None:
    job_id = enqueue(api)
    hand.work(1)

    answer = api.post(f"/v1/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (202, "started")


def test_a_failed_job_is_retried(api: TestClient, hand: Hand) -> None:
    job_id = enqueue(api)
    hand.end("error", b"ValueError: x\n")

    answer = api.post(f"/v1/jobs/{job_id}/retry")

    assert (answer.status_code, answer.json()) == (200, {"id": job_id, "status": "queued"})


def test_a_job_that_waits_cannot_be_retried(api: TestClient) -> None:
    answer = api.post(f"/v1/jobs/{enqueue(api)}/retry")

    assert (answer.status_code, answer.json()["job_status"]) == (409, "queued")


def test_a_job_that_runs_cannot_be_retried(api: TestClient, hand: Hand) -> None:
    job_id = enqueue(api)
    hand.work(1)

    answer = api.post(f"/v1/jobs/{job_id}/retry")

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:msgqueue:problem:job-conflict"
    assert answer.json()["job_status"] == "started"


@pytest.mark.parametrize("path", ["", "/cancel", "/retry"])
def test_an_unknown_job_is_a_404_that_names_it(api: TestClient, path: str) -> None:
    answer = api.request("POST" if path else "GET", f"/v1/jobs/nope{path}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["job_id"] == "nope"


def test_a_host_app_keeps_its_prefix_docs_and_own_errors(queue: TaskQueue) -> None:
    host = FastAPI()
    host.include_router(create_router(queue, auth=ApiKeys([KEY])), prefix="/queue")

    @host.get("/own/{number}")
    def own(number: int) -> int:
        return number

    with TestClient(host, headers=HEADERS) as client:
        answer = client.post("/queue/v1/jobs", json={"task": "add", "args": [1, 1]})
        assert answer.headers["location"].startswith("/queue/v1/jobs/")
        assert client.get(answer.headers["location"]).status_code == 200
        assert client.get("/own/x").json()["detail"][0]["type"] == "int_parsing"
        assert "/queue/v1/jobs" in client.get("/openapi.json").json()["paths"]


def test_a_router_included_twice_works_until_the_last_one_ends(queue: TaskQueue) -> None:
    host = FastAPI()
    router = create_router(queue, auth=ApiKeys([KEY]))
    host.include_router(router, prefix="/one")
    host.include_router(router, prefix="/two")

    for _ in range(2):
        with TestClient(host, headers=HEADERS) as client:
            for prefix in ("/one", "/two"):
                assert client.get(f"{prefix}/v1/jobs").status_code == 200
