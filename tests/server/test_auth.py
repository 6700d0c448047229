"""Who may call, and from where."""

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from tests.server.conftest import HEADERS, KEY

from msgqueue import TaskQueue
from msgqueue.errors import ConfigurationError
from msgqueue.server import ApiKeys, create_app, create_router, mount_dashboard

ROUTES = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/x"),
    ("POST", "/v1/jobs/x/cancel"),
    ("POST", "/v1/jobs/x/retry"),
    ("POST", "/app/tasks/receive"),
    ("POST", "/app/tasks/cancel"),
    ("GET", "/app/tasks/queued_jobs"),
    ("GET", "/app/tasks/cancelled_jobs"),
    ("GET", "/app/tasks/finished_jobs"),
    ("GET", "/app/tasks/failed_jobs"),
    ("GET", "/docs"),
    ("GET", "/docs/swagger-ui-bundle.js"),
    ("GET", "/openapi.json"),
    ("GET", "/rq"),
    ("GET", "/rq/"),
    ("GET", "/rq/static/css/main.css"),
    ("GET", "/rq/0/data/queues.json"),
    ("GET", "/rq/0/data/job/x.json"),
    ("POST", "/rq/job/x/delete"),
    ("POST", "/rq/requeue/default"),
]


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


WITHOUT_A_KEY = [
    {},
    {"X-API-Key": ""},
    {"X-API-Key": "wrong"},
    {"X-API-Key": f"{KEY}x"},
    {"Authorization": "Bearer"},
    bearer("wrong"),
    basic("wrong"),
    {"Authorization": "Basic !"},
    {"Authorization": "Digest x"},
]


@pytest.mark.parametrize("headers", WITHOUT_A_KEY, ids=str)
def test_every_route_asks_for_a_key(stranger: TestClient, headers: dict[str, str]) -> None:
    for method, path in ROUTES:
        answer = stranger.request(method, path, headers=headers, follow_redirects=False)

        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.json()["type"] == "urn:msgqueue:problem:unauthorized"


def test_the_table_of_routes_is_whole(app: FastAPI) -> None:
    known = {(method, path.replace("/x", "/{job_id}")) for method, path in ROUTES}

    for path, item in app.openapi()["paths"].items():
        for method in item:
            assert (method.upper(), path) in known or path == "/healthz"


def test_the_key_is_asked_for_before_the_body_is_read(stranger: TestClient) -> None:
    answer = stranger.post("/v1/jobs", content=b"{" * 5_000_000)

    assert answer.status_code == 401


def test_a_key_in_the_query_does_not_hold(stranger: TestClient) -> None:
    assert stranger.get(f"/v1/jobs?x-api-key={KEY}&api_key={KEY}").status_code == 401


def test_health_needs_no_key(stranger: TestClient) -> None:
    assert stranger.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "headers", [HEADERS, bearer(KEY), basic(KEY)], ids=["key", "bearer", "basic"]
)
def test_a_key_may_come_in_three_ways(stranger: TestClient, headers: dict[str, str]) -> None:
    for path in ("/v1/jobs", "/docs", "/rq/"):
        assert stranger.get(path, headers=headers).status_code == 200


def test_two_keys_may_hold_at_once(queue: TaskQueue) -> None:
    with TestClient(create_app(queue, auth=ApiKeys(["old", "new"]))) as client:
        assert client.get("/v1/jobs", headers={"X-API-Key": "old"}).status_code == 200
        assert client.get("/v1/jobs", headers={"X-API-Key": "new"}).status_code == 200


def test_keys_are_not_kept_as_text() -> None:
    assert KEY not in str(vars(ApiKeys([KEY])))


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one key that is not empty"):
        ApiKeys([""])


def test_the_keys_of_the_environment_hold(
    queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSGQUEUE_API_KEYS", "one,two")

    with TestClient(create_app(queue)) as client:
        assert client.get("/v1/jobs").status_code == 401
        assert client.get("/v1/jobs", headers=bearer("two")).status_code == 200


def test_neither_auth_nor_keys_is_an_error_that_names_both_ways(queue: TaskQueue) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create_router(queue)

    assert "MSGQUEUE_API_KEYS" in str(caught.value)
    assert "auth=" in str(caught.value)
    assert "auth=None opens it to everyone" in str(caught.value)


def test_an_open_api_says_so_once(queue: TaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        create_app(queue, auth=None)

    assert [record.message for record in caplog.records] == [
        "the msgqueue API is open to everyone who can reach it: auth=None"
    ]


async def current_user(x_user: str = Header("")) -> str:
    if x_user != "ada":
        raise HTTPException(403, "only ada", {"X-Reason": "user"})
    return x_user


@pytest.mark.parametrize("auth", [current_user, Depends(current_user)], ids=["callable", "Depends"])
def test_a_dependency_of_the_host_guards_api_and_dashboard(queue: TaskQueue, auth: Any) -> None:
    host = FastAPI()
    host.include_router(create_router(queue, auth=auth), prefix="/queue")
    mount_dashboard(host, queue, path="/jobs/rq", auth=auth)

    with TestClient(host) as client:
        _guards(client)


def _guards(client: TestClient) -> None:
    for path in ("/queue/v1/jobs", "/jobs/rq/", "/jobs/rq/static/css/main.css"):
        refused = client.get(path)
        assert (refused.status_code, refused.json()["detail"]) == (403, "only ada")
        assert refused.headers["x-reason"] == "user"
        assert client.get(path, headers={"X-User": "ada"}).status_code == 200


def test_dependencies_of_the_hosts_own_include_guard_too(queue: TaskQueue) -> None:
    host = FastAPI()
    router = create_router(queue, auth=ApiKeys([KEY]))
    host.include_router(router, dependencies=[Depends(current_user)])

    with TestClient(host) as client:
        assert client.get("/v1/jobs", headers=HEADERS).status_code == 403
        assert client.get("/v1/jobs", headers={**HEADERS, "X-User": "ada"}).status_code == 200


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
OWN = [{}, {"Origin": "http://127.0.0.1:8080"}, {"Sec-Fetch-Site": "same-origin"}]
UNSAFE = [
    ("/app/tasks/receive", {"title": "x"}),
    ("/v1/jobs", {"task": "add", "args": [1, 2]}),
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/app/tasks/receive", "/v1/jobs/x/cancel", "/rq/job/x/delete"]
)
def test_without_a_key_a_foreign_page_is_refused(
    open_api: TestClient, path: str, headers: dict[str, str], written: Callable[[], int]
) -> None:
    answer = open_api.post(path, json={"task": "add", "args": [1, 2]}, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:msgqueue:problem:foreign-origin"
    assert written() == 0


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_without_a_key_an_own_page_and_curl_are_served(
    open_api: TestClient, headers: dict[str, str]
) -> None:
    answer = open_api.post("/v1/jobs", json={"task": "add", "args": [1, 2]}, headers=headers)

    assert answer.status_code == 202


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/app/tasks/receive", "/app/tasks/cancel"])
def test_what_a_form_can_send_is_refused(
    open_api: TestClient, path: str, kind: str, written: Callable[[], int]
) -> None:
    body = b'{"task": "add", "args": [1, 2]}'

    answer = open_api.post(path, content=body, headers={"Content-Type": kind})

    assert answer.status_code == 415
    assert answer.json()["type"] == "urn:msgqueue:problem:not-json"
    assert written() == 0


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/docs", "/rq/", "/healthz", "/nope"])
def test_without_a_key_a_foreign_host_is_refused(
    open_api: TestClient, path: str, host: str
) -> None:
    answer = open_api.get(path, headers={"Host": host})

    assert answer.status_code == 421
    assert answer.json()["type"] == "urn:msgqueue:problem:foreign-host"
    assert "--allow-host" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "[::1]"]
)
def test_without_a_key_the_names_of_loopback_are_served(open_api: TestClient, host: str) -> None:
    assert open_api.get("/v1/jobs", headers={"Host": host}).status_code == 200


def test_a_host_may_be_allowed(queue: TaskQueue) -> None:
    with TestClient(create_app(queue, auth=None, allow_hosts=["Queue.example"])) as client:
        assert client.get("/v1/jobs", headers={"Host": "queue.example:80"}).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_cannot_ride_on_a_basic_login(
    stranger: TestClient, headers: dict[str, str], written: Callable[[], int]
) -> None:
    answer = stranger.post(
        "/v1/jobs", json={"task": "add", "args": [1, 2]}, headers={**basic(KEY), **headers}
    )

    assert answer.status_code == 403
    assert written() == 0


@pytest.mark.parametrize("headers", [HEADERS, bearer(KEY)], ids=["key", "bearer"])
def test_a_foreign_page_that_has_a_key_is_served(
    stranger: TestClient, headers: dict[str, str]
) -> None:
    answer = stranger.post(
        "/v1/jobs",
        json={"task": "add", "args": [1, 2]},
        headers={**headers, "Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"},
    )

    assert answer.status_code == 202


def test_a_foreign_form_cannot_ride_on_a_cookie_of_the_host(queue: TaskQueue) -> None:
    host = FastAPI()
    host.include_router(create_router(queue, auth=lambda: None))

    answer = TestClient(host).post("/v1/jobs/x/cancel", headers={"Origin": "http://evil.example"})

    assert answer.status_code == 403
