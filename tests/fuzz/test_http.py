"""The HTTP side: whatever is sent or stored, an answer in JSON, and a 5xx for Redis alone."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import canary
from tests.fuzz.effort import fuzzed
from tests.fuzz.strategies import any_text, damaged, json_values, loose_json, mutated, raw_bytes
from tests.fuzz.wreck import PLACES, VICTIM, Damage, Place, Wreck, damages
from tests.server import tasks
from tests.server.conftest import HEADERS, KEY

from msgqueue import TaskQueue
from msgqueue.embedded import EmbeddedServer
from msgqueue.jobs import JobStatus
from msgqueue.server import ApiKeys, create_app
from msgqueue.store.listing import write_cursor

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def queue(server: EmbeddedServer) -> Iterator[TaskQueue]:
    queue = TaskQueue(server.url, queues=("default", "high"))
    for function in (tasks.add, tasks.take, tasks.fail):
        queue.task(function)
    yield queue
    queue.close()


@pytest.fixture(scope="module")
def api(queue: TaskQueue) -> Iterator[TestClient]:
    with TestClient(create_app(queue, auth=ApiKeys([KEY]), default_task="take")) as client:
        yield client


@pytest.fixture(scope="module")
def client(queue: TaskQueue) -> redis.Redis:
    return queue.source.client()


def check(answer: Any, *also: int) -> None:
    """An answer that the caller can read, and no defect."""
    assert answer.status_code < 500 or answer.status_code in also, answer.text
    assert "Traceback" not in answer.text
    if answer.status_code >= 400 and answer.headers["content-type"].endswith("json"):
        assert answer.json()["detail"]


bodies = st.fixed_dictionaries(
    {"task": st.sampled_from(("add", "take", "fail", "ad", "os.system"))},
    optional={
        "args": st.lists(json_values, max_size=2) | json_values,
        "kwargs": st.dictionaries(st.text(max_size=5), json_values, max_size=2),
        "queue": st.sampled_from(("default", "high", "nope")) | json_values,
        "job_id": st.sampled_from(("a", "x" * 128, "a b")) | json_values,
        "delay": st.floats(allow_nan=False) | json_values,
        "at": st.datetimes(timezones=st.timezones()).map(str) | json_values,
        "timeout": st.floats(allow_nan=False) | json_values,
        "retry": st.fixed_dictionaries({"max": json_values, "backoff": json_values}),
        "result_ttl": st.integers() | json_values,
        "failure_ttl": st.integers() | json_values,
        "meta": st.dictionaries(st.text(max_size=4), json_values, max_size=2),
        "description": st.text(max_size=12),
        "unique": json_values,
        "front": json_values,
    },
).map(json.dumps)
sent = damaged(bodies.map(str.encode)) | loose_json.map(lambda t: t.encode("utf-8", "replace"))


@fuzzed(80)
@given(body=sent, path=st.sampled_from(("/v1/jobs", "/app/tasks/receive", "/app/tasks/cancel")))
def test_any_body_is_answered(api: TestClient, client: redis.Redis, body: bytes, path: str) -> None:
    check(api.post(path, content=body, headers=HEADERS | JSON))
    client.flushdb()


cursors = st.builds(
    write_cursor,
    st.dictionaries(
        st.sampled_from(("default", "high", "nope")),
        st.tuples(st.sampled_from(("", "1.5", "inf", "x", "nan", "(1")), st.text(max_size=4)),
        max_size=2,
    ),
    st.sampled_from(list(JobStatus)),
)
torn = mutated(cursors.map(str.encode)).map(lambda raw: raw.decode("latin-1"))
odd = loose_json.map(
    lambda text: base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode()
)
queries = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(list(JobStatus)) | any_text,
        "queue": st.sampled_from(("default", "high")) | any_text,
        "limit": st.integers(-2, 300).map(str) | any_text,
        "offset": st.integers(-2, 1 << 70).map(str) | any_text,
        "cursor": cursors | torn | odd | any_text,
    },
)


@fuzzed(80)
@given(
    query=queries,
    path=st.sampled_from(("/v1/jobs", "/app/tasks/failed_jobs", "/app/tasks/queued_jobs")),
)
def test_any_query_is_answered(api: TestClient, query: Mapping[str, str], path: str) -> None:
    sendable = {name: text.encode("utf-8", "replace").decode() for name, text in query.items()}

    check(api.get(path, params=sendable, headers=HEADERS))


@fuzzed(80)
@given(
    key=raw_bytes | st.just(KEY.encode()),
    how=st.sampled_from((b"X-API-Key", b"Authorization")),
    scheme=st.sampled_from((b"", b"Bearer ", b"Basic ", b"basic", b"Digest x, ")),
    packed=st.booleans(),
)
def test_no_made_up_key_holds(
    api: TestClient, key: bytes, how: bytes, scheme: bytes, packed: bool
) -> None:
    value = scheme + (base64.b64encode(key) if packed else key)
    if any(sign in value for sign in b"\r\n\0"):
        return  # no server passes these on

    answer = api.get("/v1/jobs", headers=[(how, value)])

    assert answer.status_code == 401 or KEY.encode() in key
    assert len(key) < 8 or key not in answer.content


@fuzzed(20)
@given(place=st.sampled_from(PLACES), wrong=damages, results=damaged(st.just(b"MQ==")))
def test_promise_11_a_damaged_job_is_shown_or_told_of_and_never_unpickled(
    api: TestClient, queue: TaskQueue, place: Place, wrong: Damage, results: bytes
) -> None:
    canary.SANG.clear()
    client = queue.source.client()
    Wreck(queue.store, client, place, wrong)
    if client.type(f"rq:results:{VICTIM}") in (b"stream", b"none"):
        fields: dict[Any, Any] = {"type": 1, "return_value": results, "exc_string": results}
        client.xadd(f"rq:results:{VICTIM}", fields)
    refused = 502 if wrong.kinds else 0  # a key of another kind

    for status in JobStatus:
        check(api.get(f"/v1/jobs?status={status}", headers=HEADERS))
    for word in ("queued", "cancelled", "finished", "failed"):
        check(api.get(f"/app/tasks/{word}_jobs", headers=HEADERS))
    check(api.get(f"/v1/jobs/{VICTIM}", headers=HEADERS), refused)
    check(api.post(f"/v1/jobs/{VICTIM}/retry", headers=HEADERS), refused)
    if place != "wip":  # nobody would stop it
        check(api.post(f"/v1/jobs/{VICTIM}/cancel", headers=HEADERS), refused)
    for page in (f"job/{VICTIM}.json", "jobs/default/queued/20/asc/1.json"):
        check(api.get(f"/rq/0/data/{page}", headers=HEADERS), 503)
    check(api.get("/rq/0/data/workers.json", headers=HEADERS))
    assert canary.SANG == []
