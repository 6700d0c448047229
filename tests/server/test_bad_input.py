"""Whatever a caller sends: a 4xx in JSON that names the problem, and nothing written."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.server.conftest import HEADERS, KEY, Hand

from msgqueue import TaskQueue
from msgqueue.server import ApiKeys, create_app
from msgqueue.settings import MAX_PAYLOAD

JSON = {"Content-Type": "application/json"}
DEEP = b'{"args":' + b"[" * 1000 + b"]" * 1000 + b"}"

BODIES = [
    (b"", 400, "invalid-json"),
    (b"{", 400, "invalid-json"),
    (b"\xff\xfe", 400, "invalid-json"),
    (b'{"a": NaN}', 400, "invalid-json"),
    (b'{"a": "\\ud800"}', 400, "invalid-json"),
    (b'{"task": "take", "args": [{"a": 1e999}]}', 422, "invalid-arguments"),
    (b'{"a": ' + b"9" * 5000 + b"}", 400, "invalid-json"),
    (DEEP, 400, "nested-too-deep"),
    (b"[" * 100_000, 400, "nested-too-deep"),
    (b"[]", 422, "not-an-object"),
    (b'"text"', 422, "not-an-object"),
    (b"7", 422, "not-an-object"),
    (b"null", 422, "not-an-object"),
    (b"{" + b" " * MAX_PAYLOAD + b"}", 413, "body-too-large"),
]

CALLS = [
    ({"task": "nope"}, "unknown-task", None),
    ({"task": "ad", "args": [1, 2]}, "unknown-task", None),
    ({"task": "builtins.eval", "args": ["1"]}, "unknown-task", None),
    ({"task": "tests.server.tasks.add", "args": [1, 2]}, "unknown-task", None),
    ({"task": "os.system", "args": ["true"]}, "unknown-task", None),
    ({"task": "add.__call__", "args": [1, 2]}, "unknown-task", None),
    ({"task": "аdd", "args": [1, 2]}, "unknown-task", None),  # noqa: RUF001 - a Cyrillic letter
    ({"task": 7}, "invalid-request", "/body/task"),
    ({"task": "add", "args": {}}, "invalid-request", "/body/args"),
    ({"task": "add", "kwargs": []}, "invalid-request", "/body/kwargs"),
    ({"task": "add", "args": [1], "nope": 1}, "invalid-request", "/body/nope"),
    ({"task": "add", "args": [1]}, "invalid-arguments", "/body/kwargs/second"),
    ({"task": "add", "args": ["x", 2]}, "invalid-arguments", "/body/args/0"),
    (
        {"task": "add", "args": [1], "kwargs": {"second": "x"}},
        "invalid-arguments",
        "/body/kwargs/second",
    ),
    ({"task": "add", "args": [1, 2, 3]}, "invalid-arguments", None),
    (
        {"task": "add", "args": [1, 2], "kwargs": {"third": 3}},
        "invalid-arguments",
        "/body/kwargs/third",
    ),
    (
        {"task": "add", "args": [1, 2], "kwargs": {"self": 3}},
        "invalid-arguments",
        "/body/kwargs/self",
    ),
    ({"task": "add", "args": [1, 2], "queue": "nope"}, "unknown-queue", None),
]

OPTIONS = [
    ({"delay": -1}, "/body/delay"),
    ({"timeout": 0}, "/body/timeout"),
    ({"timeout": 1e300}, "/body/timeout"),
    ({"result_ttl": -2}, "/body/result_ttl"),
    ({"result_ttl": 10**30}, "/body/result_ttl"),
    ({"failure_ttl": 10**12}, "/body/failure_ttl"),
    ({"retry": {"max": -1}}, "/body/retry/max"),
    ({"job_id": "../../x"}, "/body/job_id"),
    ({"job_id": "a" * 129}, "/body/job_id"),
    ({"at": "2026-11-24T10:00:00"}, "/body/at"),
    ({"delay": 1, "at": "2026-11-24T10:00:00Z"}, "/body/at"),
    ({"meta": []}, "/body/meta"),
]


@pytest.fixture(params=["/v1/jobs", "/app/tasks/receive"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _nothing_is_written(api: TestClient, written: Callable[[], int]) -> Iterator[None]:
    yield
    assert written() == 0


def refused(answer: Any, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:msgqueue:problem:{kind}"
    assert problem["status"] == status
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(("body", "status", "kind"), BODIES, ids=lambda value: str(value)[:24])
def test_a_body_that_is_no_fit_object(
    api: TestClient, path: str, body: bytes, status: int, kind: str
) -> None:
    refused(api.post(path, content=body, headers=JSON), status, kind)


@pytest.mark.parametrize(("call", "kind", "pointer"), CALLS, ids=str)
def test_a_call_that_cannot_be(
    api: TestClient, path: str, call: dict[str, object], kind: str, pointer: str | None
) -> None:
    problem = refused(api.post(path, json=call), 422, kind)

    if pointer is not None:
        assert pointer in [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize(("option", "pointer"), OPTIONS, ids=str)
def test_an_option_out_of_range(api: TestClient, option: dict[str, object], pointer: str) -> None:
    answer = api.post("/v1/jobs", json={"task": "add", "args": [1, 2], **option})

    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_an_unknown_task_is_answered_with_the_one_that_is_close(api: TestClient) -> None:
    answer = api.post("/v1/jobs", json={"task": "ad"})

    assert answer.json()["detail"] == (
        "no task 'ad' is registered. Did you mean 'add'? Registered: add, fail, take."
    )


def test_arguments_over_the_limit(api: TestClient) -> None:
    text = "x" * (MAX_PAYLOAD - 34)  # the body is just within its own limit

    answer = api.post("/v1/jobs", json={"task": "fail", "args": [text]})

    refused(answer, 413, "payload-too-large")


def test_a_body_that_never_ends_is_cut_off(api: TestClient, path: str) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"a": "'
        while sent < 64 * MAX_PAYLOAD:
            sent += 65_536
            yield b"x" * 65_536

    refused(api.post(path, content=endless(), headers=JSON), 413, "body-too-large")


def test_a_status_that_is_none(api: TestClient) -> None:
    answer = api.get("/v1/jobs?status=nope")

    assert answer.json()["errors"][0]["pointer"] == "/query/status"
    assert "'scheduled'" in answer.json()["detail"]


@pytest.mark.parametrize("limit", [-1, 0, 201, "x"])
def test_a_page_size_out_of_range(api: TestClient, limit: object) -> None:
    answer = api.get(f"/v1/jobs?limit={limit}")

    assert answer.json()["errors"][0]["pointer"] == "/query/limit"


@pytest.mark.parametrize("query", ["cursor=nope", "queue=nope", "nope=1"])
def test_a_query_that_makes_no_sense(api: TestClient, query: str) -> None:
    answer = api.get(f"/v1/jobs?{query}")

    assert answer.status_code == 422
    assert "nope" in answer.text


@pytest.mark.parametrize("job_id", ["a b", "a.b", "%00", "a%0Ab", "ä", "a" * 129, "<img>"])
def test_an_id_with_odd_characters(api: TestClient, job_id: str) -> None:
    answer = api.get(f"/v1/jobs/{job_id}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/path/job_id"


@pytest.mark.parametrize("path", ["/nope", "/v1/nope", "/app/tasks/nope"])
def test_a_path_that_is_none(api: TestClient, path: str) -> None:
    refused(api.get(path), 404, "not-found")


def test_a_method_that_is_none(api: TestClient) -> None:
    refused(api.delete("/v1/jobs"), 405, "method-not-allowed")


def test_redis_out_of_reach_is_a_503_with_what_was_tried() -> None:
    queue = TaskQueue("redis://:secret@127.0.0.1:1/0")
    queue.task(name="take")(len)
    app = create_app(queue, auth=ApiKeys([KEY]), default_task="take")

    with TestClient(app, headers=HEADERS) as api, ThreadPoolExecutor() as at_once:
        asked = [
            at_once.submit(api.post, "/app/tasks/receive", json={"a": 1}),
            at_once.submit(api.get, "/app/tasks/queued_jobs"),
            at_once.submit(api.get, "/v1/jobs/x"),
        ]
        health = at_once.submit(api.get, "/healthz")
        for answer in (one.result() for one in asked):
            problem = refused(answer, 503, "redis-unavailable")
            assert "127.0.0.1:1" in str(problem["tried"])
            assert "127.0.0.1:1" in str(problem["detail"])
            assert answer.headers["retry-after"] == "2"
            assert "secret" not in answer.text
        problem = refused(health.result(), 503, "redis-unavailable")
        assert "127.0.0.1" not in json.dumps(problem)


def test_a_job_that_cannot_be_read_is_a_409_that_names_it(
    queue: TaskQueue, api: TestClient
) -> None:
    queue.source.client().hset("rq:job:bad", mapping={"status": "nonsense", "origin": "default"})

    answer = api.get("/v1/jobs/bad")

    refused(answer, 409, "damaged-job")
    assert api.get("/v1/jobs").status_code == 200
    queue.source.client().delete("rq:job:bad")


def test_a_result_that_is_no_json_is_told_as_text(
    api: TestClient, hand: Hand, queue: TaskQueue
) -> None:
    job_id = api.post("/v1/jobs", json={"task": "add", "args": [1, 2]}).json()["id"]
    hand.end("ok", b"\x80\x05K\x05.")

    assert "not JSON" in api.get(f"/v1/jobs/{job_id}").json()["result"]
    assert "not JSON" in api.get("/app/tasks/finished_jobs").json()[0]["result"]
    queue.source.client().flushdb()
