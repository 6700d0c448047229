"""rq-dashboard under FastAPI: right, and safe against what is stored in Redis and who calls."""

import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import rq
import rq_dashboard.web
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.server import tasks
from tests.server.conftest import Hand

from msgqueue import TaskQueue
from msgqueue.errors import ConfigurationError
from msgqueue.server import mount_dashboard
from msgqueue.server.dashboard_app import rewritten

XSS = "<img src=x onerror=alert(1)>"
JOB_PAGES = ("/rq/0/data/job/{}.json", "/rq/0/view/job/{}")


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.canary}",))


@pytest.fixture
def rq_queue(queue: TaskQueue) -> Iterator[rq.Queue]:
    """rq's own queue, with its default serializer: pickle."""
    client = redis.Redis.from_url(queue.source.url)
    yield rq.Queue("default", connection=client)
    client.close()


def page(api: TestClient, registry: str, number: int = 1, order: str = "asc") -> list[str]:
    answer = api.get(f"/rq/0/data/jobs/default/{registry}/8/{order}/{number}.json")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


@pytest.mark.parametrize(
    "path",
    [
        "/rq/",
        "/rq/0/view/jobs",
        "/rq/0/view/workers",
        "/rq/0/data/queues.json",
        "/rq/0/data/workers.json",
        "/rq/static/css/bootstrap.min.css",
        "/rq/static/js/jquery-3.5.1.min.js",
        "/rq/favicon.ico",
        "/rq/static/favicon.ico",
    ],
)
def test_pages_data_and_files_are_there(api: TestClient, path: str) -> None:
    assert api.get(path).status_code == 200


def test_every_job_of_ours_is_shown(api: TestClient, hand: Hand, queue: TaskQueue) -> None:
    waiting = tasks_enqueued(queue, 3)
    hand.end("ok", b"5")
    hand.end("error", b"ValueError: x\n")

    assert page(api, "queued") == [waiting[2]]
    assert page(api, "finished") == [waiting[0]]
    assert page(api, "failed") == [waiting[1]]
    finished = api.get(f"/rq/0/data/job/{waiting[0]}.json").json()
    assert (finished["status"], finished["result"]) == ("finished", 5)
    failed = api.get(f"/rq/0/data/job/{waiting[1]}.json").json()
    assert (failed["status"], failed["exc_info"]) == ("failed", "ValueError: x\n")


def tasks_enqueued(queue: TaskQueue, number: int) -> list[str]:
    return [queue.enqueue("add", each, 1).id for each in range(number)]


def test_queues_and_counts_are_shown(api: TestClient, queue: TaskQueue) -> None:
    tasks_enqueued(queue, 2)

    (shown,) = api.get("/rq/0/data/queues.json").json()["queues"]

    assert (shown["name"], shown["count"]) == ("default", 2)


def test_a_worker_is_shown(api: TestClient, hand: Hand) -> None:
    (worker,) = api.get("/rq/0/data/workers.json").json()["workers"]

    assert worker["name"] == "test.1.0123456789ab"
    assert (worker["queues"], worker["current_job"]) == (["default"], "idle")


@pytest.mark.parametrize("order", ["asc", "dsc"])
@pytest.mark.parametrize("registry", ["queued", "canceled"])
def test_pages_hold_every_job_once(
    api: TestClient, queue: TaskQueue, registry: str, order: str
) -> None:
    ids = tasks_enqueued(queue, 19)
    if registry == "canceled":
        for job_id in ids:
            queue.cancel(job_id)

    pages = [page(api, registry, number, order) for number in (1, 2, 3, 4)]

    assert [len(each) for each in pages] == [8, 8, 3, 0]
    shown = [job_id for each in pages for job_id in each]
    assert sorted(shown) == sorted(ids)
    if registry == "queued":
        assert shown == (ids if order == "asc" else ids[::-1])


@pytest.mark.parametrize("path", JOB_PAGES)
def test_a_job_with_dependencies_is_shown(api: TestClient, rq_queue: rq.Queue, path: str) -> None:
    parent = rq_queue.enqueue(tasks.add, 1, 2)
    child = rq_queue.enqueue(tasks.add, 1, 2, depends_on=parent)

    answer = api.get(path.format(child.id))

    assert answer.status_code == 200
    if path.endswith("json"):
        assert answer.json()["depends_on"] == [parent.id]
        assert answer.json()["depends_on_status"] == ["active"]


@pytest.mark.parametrize(
    "path",
    [
        *JOB_PAGES,
        "/rq/1/view/queues",
        "/rq/0/view/jobs/default/x/8/asc/1",
        "/rq/0/data/jobs/default/queued/8/asc/x.json",
        "/rq/0/data/jobs/default/queued/x/asc/1.json",
        "/rq/0/data/jobs/default/queued/8/up/1.json",
        "/rq/0/data/jobs/default/queued/0/asc/1.json",
        "/rq/nope",
    ],
)
def test_what_is_not_there_is_a_404(api: TestClient, path: str) -> None:
    assert api.get(path.format("nope")).status_code == 404


@pytest.mark.parametrize("path", JOB_PAGES)
def test_a_job_that_cannot_be_read_is_told(api: TestClient, queue: TaskQueue, path: str) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    queue.source.client().hset(f"rq:job:{job_id}", "status", "nonsense")

    answer = api.get(path.format(job_id))

    assert answer.status_code == 409
    assert "nonsense" in answer.text
    assert page(api, "queued") == [job_id]


DEEP = b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", b"{}"),
        ("repeat_intervals", b"[" * 5000),
        ("meta", DEEP),
        ("meta", b'{"a": 1e999}'),
        ("created_at", b"yesterday"),
        ("description", b"\xff"),
        ("mq_deaths", b"9" * 5000),
        ("webhooks", b"[]]"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_nothing_stored_makes_an_answer_fail(
    api: TestClient, queue: TaskQueue, field: str, value: bytes
) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    queue.source.client().hset(f"rq:job:{job_id}", field, value)

    for path in (
        *(each.format(job_id) for each in JOB_PAGES),
        "/rq/0/data/jobs/default/queued/8/asc/1.json",
        f"/v1/jobs/{job_id}",
        "/v1/jobs",
        "/app/tasks/queued_jobs",
    ):
        assert api.get(path).status_code in (200, 409), path


@pytest.mark.parametrize("value", [b"NaN", b"[1e999]"])
def test_a_number_that_is_no_json_is_shown_as_null(
    api: TestClient, hand: Hand, queue: TaskQueue, value: bytes
) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    hand.end("ok", value)

    for path in (JOB_PAGES[0].format(job_id), f"/v1/jobs/{job_id}", "/app/tasks/finished_jobs"):
        assert "null" in api.get(path).text
        assert not {"NaN", "Infinity"} & set(re.findall(r"[A-Za-z]+", api.get(path).text))


def test_an_odd_result_is_shown_as_text(api: TestClient, hand: Hand, queue: TaskQueue) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    hand.end("ok", pickle.dumps({1, 2}))

    answer = api.get(f"/rq/0/data/job/{job_id}.json")

    assert answer.status_code == 200
    assert "not JSON" in answer.json()["result"]


def test_a_result_stream_that_is_nonsense_is_left_out(api: TestClient, queue: TaskQueue) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    queue.source.client().xadd(f"rq:results:{job_id}", {"type": "9", "return_value": "?"})

    assert api.get(f"/rq/0/data/job/{job_id}.json").json()["result"] is None
    assert page(api, "queued") == [job_id]


def test_nothing_stored_is_unpickled(
    api: TestClient, queue: TaskQueue, hand: Hand, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    evil = pickle.dumps(Evil(canary))
    done, waiting = tasks_enqueued(queue, 2)
    hand.end("ok", evil)
    for job_id in (done, waiting):
        fields: dict[Any, Any] = {"meta": evil, "data": evil, "result": evil}
        queue.source.client().hset(f"rq:job:{job_id}", mapping=fields)

    for path in (
        *(each.format(job_id) for each in JOB_PAGES for job_id in (done, waiting)),
        *(f"/rq/0/data/jobs/default/{each}/8/asc/1.json" for each in ("queued", "finished")),
        "/rq/0/data/workers.json",
        f"/v1/jobs/{done}",
        f"/v1/jobs/{waiting}",
        "/v1/jobs?status=finished",
        "/app/tasks/finished_jobs",
        "/app/tasks/queued_jobs",
    ):
        assert api.get(path).status_code == 200, path
    for path in (f"/rq/job/{done}/requeue", f"/rq/job/{waiting}/delete", "/rq/requeue/default"):
        assert api.post(path).status_code == 200, path

    assert not canary.exists()


def test_a_running_job_shows_with_its_worker_and_nothing_is_unpickled(
    api: TestClient, queue: TaskQueue, hand: Hand, tmp_path: Path
) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    hand.work(1)
    queue.source.client().hset(f"rq:job:{job_id}", "meta", pickle.dumps(Evil(tmp_path / "x")))
    queue.source.client().hset("rq:worker:test.1.0123456789ab", "current_job", job_id)

    (worker,) = api.get("/rq/0/data/workers.json").json()["workers"]

    assert worker["current_job"]["job_id"] == job_id
    assert not (tmp_path / "x").exists()


def test_a_deleted_job_is_gone(api: TestClient, queue: TaskQueue) -> None:
    (job_id,) = tasks_enqueued(queue, 1)

    assert api.post(f"/rq/job/{job_id}/delete").json() == {"status": "OK"}

    assert api.get(f"/rq/0/data/job/{job_id}.json").status_code == 404
    assert page(api, "queued") == []


def test_a_running_job_cannot_be_deleted(api: TestClient, queue: TaskQueue, hand: Hand) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    hand.work(1)

    assert api.post(f"/rq/job/{job_id}/delete").status_code == 409


def test_a_failed_job_is_requeued_with_its_data_as_it_was(
    api: TestClient, queue: TaskQueue, hand: Hand
) -> None:
    (job_id,) = tasks_enqueued(queue, 1)
    hand.end("error", b"ValueError: x\n")
    before = queue.source.client().hget(f"rq:job:{job_id}", "data")

    assert api.post(f"/rq/job/{job_id}/requeue").json() == {"status": "OK"}

    assert page(api, "queued") == [job_id]
    assert queue.source.client().hget(f"rq:job:{job_id}", "data") == before


def test_all_failed_jobs_are_requeued(api: TestClient, queue: TaskQueue, hand: Hand) -> None:
    ids = tasks_enqueued(queue, 2)
    for _ in ids:
        hand.end("error", b"ValueError: x\n")

    assert api.post("/rq/requeue/default").json() == {"status": "OK", "count": 2}

    assert sorted(page(api, "queued")) == sorted(ids)


@pytest.mark.parametrize("registry", ["queued", "failed"])
def test_a_registry_is_emptied(
    api: TestClient, queue: TaskQueue, hand: Hand, registry: str
) -> None:
    tasks_enqueued(queue, 2)
    if registry == "failed":
        hand.end("error", b"x")
        hand.end("error", b"x")

    assert api.post(f"/rq/queue/default/{registry}/empty").json() == {"status": "OK"}

    assert page(api, registry) == []


@pytest.mark.parametrize("registry", ["finished", "failed", "canceled"])
def test_to_empty_a_registry_spares_a_job_whose_id_is_left_there_by_one_that_expired(
    api: TestClient, queue: TaskQueue, hand: Hand, registry: str
) -> None:
    client = queue.source.client()
    for name in ("gone", "again"):
        job = queue.enqueue(queue.tasks["add"].options(job_id=name), 1, 1)
        if registry == "canceled":
            job.cancel()
        else:
            hand.end("ok" if registry == "finished" else "error", b"1")
        client.delete(f"rq:job:{name}")  # it expires
    queue.enqueue(queue.tasks["add"].options(job_id="again"), 1, 1)

    assert api.post(f"/rq/queue/default/{registry}/empty").json() == {"status": "OK"}

    assert page(api, "queued") == ["again"]


def test_compacting_moves_nothing(api: TestClient, queue: TaskQueue) -> None:
    ids = tasks_enqueued(queue, 2)

    assert api.post("/rq/queue/default/compact").json() == {"status": "OK"}

    assert page(api, "queued") == ids


def test_a_get_does_not_requeue(api: TestClient, queue: TaskQueue, hand: Hand) -> None:
    tasks_enqueued(queue, 1)
    hand.end("error", b"x")

    assert api.get("/rq/requeue/default").status_code == 405

    assert len(page(api, "failed")) == 1


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "same-site"}], ids=str
)
@pytest.mark.parametrize(
    "path",
    [
        "/rq/job/{}/delete",
        "/rq/job/{}/requeue",
        "/rq/requeue/default",
        "/rq/queue/default/queued/empty",
        "/rq/queue/default/compact",
    ],
)
def test_a_foreign_page_changes_nothing(
    api: TestClient, queue: TaskQueue, path: str, headers: dict[str, str]
) -> None:
    ids = tasks_enqueued(queue, 1)

    answer = api.post(path.format(ids[0]), headers=headers)

    assert answer.status_code == 403
    assert page(api, "queued") == ids


def test_pages_run_only_their_own_scripts_in_no_frame(api: TestClient) -> None:
    answer = api.get("/rq/")

    policy = answer.headers["content-security-policy"]
    nonce = re.findall("'nonce-([^']+)'", policy)
    assert re.findall(r"<script([^>]*)>", answer.text)
    assert all(
        f'nonce="{nonce[0]}"' in each for each in re.findall(r"<script([^>]*)>", answer.text)
    )
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert api.get("/rq/").headers["content-security-policy"] != policy


def test_no_template_writes_a_value_as_html() -> None:
    folder = Path(rq_dashboard.web.__file__).parent / "templates"
    raw = [
        value
        for file in folder.rglob("*.html")
        for value in re.findall(r"<%=(.*?)%>", rewritten(file.read_text()))
    ]

    assert raw
    assert all(re.fullmatch(r" \$\('<div/>'\)\.text\(.*\)\.html\(\) ", value) for value in raw)


@pytest.mark.parametrize(
    "name", ["');alert(1);('", "</script><script>alert(1)</script>", '"><img src=x>']
)
def test_a_queue_name_of_the_url_is_no_script(api: TestClient, name: str) -> None:
    text = api.get(f"/rq/0/view/jobs/{name}/queued/8/asc/1".replace("</", "<%2F")).text

    assert name not in text
    assert "alert(1);('" not in text.replace("\\u0027", "")


@pytest.mark.parametrize(
    "path", ["/rq/0/view/job/{}", "/rq/0/data/job/{}.json", "/rq/job/{}/requeue"]
)
def test_an_id_of_the_url_is_no_html(api: TestClient, path: str) -> None:
    method = "POST" if path.endswith("requeue") else "GET"

    answer = api.request(method, path.format(XSS))

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_hosts_own_rq_dashboard_is_left_as_it_is(api: TestClient) -> None:
    api.get("/rq/")

    assert rq_dashboard.web.Job is rq.job.Job
    assert rq_dashboard.web.config.serializer is rq.serializers.DefaultSerializer
    assert rq_dashboard.web.blueprint.before_request_funcs


def test_the_address_of_redis_is_shown_without_its_password() -> None:
    queue = TaskQueue("redis://:secret@127.0.0.1:1/0")
    app = FastAPI()
    mount_dashboard(app, queue, auth=None)

    with TestClient(app) as client:
        answers = [
            client.get(path) for path in ("/rq/", "/rq/0/data/queues.json", "/rq/0/view/job/x")
        ]

    assert [answer.status_code for answer in answers[1:]] == [503, 503]
    assert not any("secret" in answer.text for answer in answers)


@pytest.mark.parametrize("path", ["rq", "/rq/", "/", ""])
def test_a_path_that_cannot_hold_it_is_refused(queue: TaskQueue, path: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot hold the dashboard"):
        mount_dashboard(FastAPI(), queue, path=path, auth=None)


def prefixed(queue: TaskQueue) -> tuple[FastAPI, str]:
    app = FastAPI()
    mount_dashboard(app, queue, path="/admin/rq", auth=None)
    return app, "/admin/rq"


def mounted(queue: TaskQueue) -> tuple[FastAPI, str]:
    app, outer = FastAPI(), FastAPI()
    mount_dashboard(app, queue, auth=None)
    outer.mount("/api/v1", app)
    return outer, "/api/v1/rq"


def behind_a_stripping_proxy(queue: TaskQueue) -> tuple[FastAPI, str]:
    app = FastAPI(root_path="/api/v1")
    mount_dashboard(app, queue, auth=None)
    return app, "/api/v1/rq"


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
@pytest.mark.parametrize("build", [prefixed, mounted, behind_a_stripping_proxy])
def test_links_are_right_wherever_it_lies(
    queue: TaskQueue, build: Callable[[TaskQueue], tuple[FastAPI, str]]
) -> None:
    app, outside = build(queue)
    inside = "/rq" if build is behind_a_stripping_proxy else outside

    with TestClient(app) as client:
        html = client.get(f"{inside}/").text
        links = re.findall(r'(?:href|src)="(/[^"]*)"', html)
        assert links
        assert all(link.startswith(f"{outside}/") for link in links), links
        for link in links:
            assert client.get(link.replace(outside, inside, 1)).status_code == 200, link
        assert f'var url = "{outside}/"' in html
        moved = client.get(inside, follow_redirects=False)
        assert (moved.status_code, moved.headers["location"]) == (307, f"{outside}/")
        moved = client.get(f"{inside}/0/view/queues", follow_redirects=False)
        assert (moved.status_code, moved.headers["location"]) == (308, f"{outside}/")


def test_the_root_path_of_the_server_is_in_the_links(queue: TaskQueue) -> None:
    app = FastAPI()
    mount_dashboard(app, queue, auth=None)

    with TestClient(app, root_path="/pre") as client:
        html = client.get("/pre/rq/").text

    assert 'var url = "/pre/rq/"' in html
