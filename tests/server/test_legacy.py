"""The contract of the six calls, from the outside."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.server.conftest import Hand

from msgqueue import TaskQueue
from msgqueue.errors import UnknownTask
from msgqueue.server import create_legacy_router

LISTS = ("queued_jobs", "cancelled_jobs", "finished_jobs", "failed_jobs")


def listed(api: TestClient, name: str, **query: int) -> list[dict[str, object]]:
    answer = api.get(f"/app/tasks/{name}", params=query)
    assert answer.status_code == 200, answer.text
    jobs: list[dict[str, object]] = answer.json()
    return jobs


def receive(api: TestClient, body: object) -> str:
    answer = api.post("/app/tasks/receive", json=body)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["job_id"]
    return str(answer.json()["job_id"])


def cancel(api: TestClient, job_id: str) -> dict[str, str]:
    answer = api.post("/app/tasks/cancel", json={"job_id": job_id})
    assert answer.status_code == 200, answer.text
    cancelled: dict[str, str] = answer.json()
    return cancelled


def test_a_received_object_is_the_one_argument_of_the_default_task(
    api: TestClient, hand: Hand
) -> None:
    job_id = receive(api, {"title": "test_task"})

    (claimed,) = hand.work(1)

    assert claimed.id == job_id
    assert b'"tests.server.tasks.take", null, [{"title": "test_task"}], {}' in claimed.data


def test_a_received_call_goes_to_the_task_and_queue_that_it_names(
    api: TestClient, queue: TaskQueue
) -> None:
    job_id = receive(api, {"task": "add", "args": [2], "kwargs": {"second": 3}, "queue": "high"})

    info = queue.job(job_id).refresh().info

    assert info is not None
    assert (info.task, info.queue) == ("add", "high")


def test_without_a_default_task_an_object_without_a_task_is_refused(queue: TaskQueue) -> None:
    app = FastAPI()
    app.include_router(create_legacy_router(queue, auth=None))

    answer = TestClient(app).post("/app/tasks/receive", json={"title": "test_task"})

    assert answer.status_code == 422
    assert "no default task" in answer.json()["detail"]
    assert "--default-task" in answer.json()["detail"]


def test_a_default_task_that_is_not_registered_is_refused_at_once(queue: TaskQueue) -> None:
    with pytest.raises(UnknownTask, match=r"no task 'taek' is registered\. Did you mean 'take'"):
        create_legacy_router(queue, auth=None, default_task="taek")


def test_a_queued_job_is_listed_as_queued(api: TestClient) -> None:
    job_id = receive(api, {"title": "test_task"})

    (job,) = listed(api, "queued_jobs")

    assert job["job_id"] == job_id
    assert (job["task"], job["status"]) == ("take", "queued")
    assert job["enqueued_at"] is not None
    assert "result" not in job
    assert "error" not in job


def test_a_cancelled_job_is_listed_as_cancelled(api: TestClient) -> None:
    job_id = receive(api, {"title": "test_task"})

    assert cancel(api, job_id) == {"job_id": job_id, "status": "canceled"}

    assert [job["job_id"] for job in listed(api, "cancelled_jobs")] == [job_id]
    assert listed(api, "queued_jobs") == []


def test_a_finished_job_is_listed_with_its_result(api: TestClient, hand: Hand) -> None:
    job_id = receive(api, {"title": "test_task"})
    hand.end("ok", b'{"keys": 1}')

    (job,) = listed(api, "finished_jobs")

    assert (job["job_id"], job["status"]) == (job_id, "finished")
    assert job["result"] == {"keys": 1}
    assert job["ended_at"] is not None


def test_a_failed_job_is_listed_with_type_and_message_and_no_traceback(
    api: TestClient, hand: Hand
) -> None:
    job_id = receive(api, {"task": "fail", "args": ["no such order: 7"]})
    hand.end(
        "error",
        b'Traceback (most recent call last):\n  File "/srv/secret.py", line 1, in fail\n'
        b"ValueError: no such order: 7\n",
    )

    answer = api.get("/app/tasks/failed_jobs")

    (job,) = answer.json()
    assert (job["job_id"], job["status"]) == (job_id, "failed")
    assert job["error"] == {"type": "ValueError", "message": "no such order: 7"}
    assert "secret.py" not in answer.text


def test_cancelling_a_job_that_has_ended_answers_its_status(api: TestClient, hand: Hand) -> None:
    job_id = receive(api, {"title": "test_task"})
    hand.end("ok", b"1")

    assert cancel(api, job_id) == {"job_id": job_id, "status": "finished"}


def test_a_running_job_is_asked_to_stop(api: TestClient, hand: Hand) -> None:
    job_id = receive(api, {"title": "test_task"})
    hand.work(1)

    assert cancel(api, job_id) == {"job_id": job_id, "status": "started"}


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_is_a_list(api: TestClient, name: str) -> None:
    assert listed(api, name) == []


def test_lists_are_newest_first_and_take_limit_and_offset(api: TestClient) -> None:
    ids = [receive(api, {"number": number}) for number in range(5)]

    assert [job["job_id"] for job in listed(api, "queued_jobs")] == ids[::-1]
    assert [job["job_id"] for job in listed(api, "queued_jobs", limit=2)] == [ids[4], ids[3]]
    assert [job["job_id"] for job in listed(api, "queued_jobs", limit=2, offset=3)] == [
        ids[1],
        ids[0],
    ]
    assert listed(api, "queued_jobs", offset=5) == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": -1}, "/query/limit"),
        ({"limit": 1001}, "/query/limit"),
        ({"offset": -1}, "/query/offset"),
        ({"limit": "x"}, "/query/limit"),
    ],
)
def test_a_limit_out_of_range_is_refused(
    api: TestClient, query: dict[str, int | str], pointer: str
) -> None:
    answer = api.get("/app/tasks/queued_jobs", params=query)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_cancelling_an_unknown_job_is_a_404_that_names_it(api: TestClient) -> None:
    answer = api.post("/app/tasks/cancel", json={"job_id": "nope"})

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:msgqueue:problem:unknown-job"
    assert answer.json()["job_id"] == "nope"


@pytest.mark.parametrize("body", [{}, {"job_id": 7}, {"job_id": "../x"}, {"job_id": "a", "b": 1}])
def test_a_cancel_without_a_proper_id_is_a_422(
    api: TestClient, body: object, written: Callable[[], int]
) -> None:
    answer = api.post("/app/tasks/cancel", json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/body/")
    assert written() == 0


def test_the_six_calls_are_in_the_documentation_with_examples(api: TestClient) -> None:
    paths = api.get("/openapi.json").json()["paths"]

    assert {path for path in paths if path.startswith("/app/tasks/")} == {
        "/app/tasks/receive",
        "/app/tasks/cancel",
        *(f"/app/tasks/{name}" for name in LISTS),
    }
    body = paths["/app/tasks/receive"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["anyOf"][0]["examples"] == [{"title": "test_task"}]
