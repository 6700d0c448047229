"""Swagger at /docs: complete without the internet, right behind a prefix, closed with the app."""

import re

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.server.conftest import HEADERS, KEY

from msgqueue import TaskQueue
from msgqueue.server import ApiKeys, create_app, create_legacy_router, create_router


def test_the_page_names_no_other_host_and_its_files_are_there(api: TestClient) -> None:
    page = api.get("/docs").text

    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(links) == 3
    assert all(link.startswith("/docs/") for link in links)
    assert [api.get(link).status_code for link in links] == [200, 200, 200]
    assert "url: location.origin + '/openapi.json'" in page


def test_the_bare_address_leads_to_the_page(api: TestClient) -> None:
    answer = api.get("/")

    assert [each.status_code for each in answer.history] == [307]
    assert answer.url.path == "/docs"
    assert api.get("/", headers={"X-API-Key": "wrong"}).status_code == 401


def test_the_page_runs_only_its_own_scripts(api: TestClient) -> None:
    answer = api.get("/docs")

    (nonce,) = re.findall("'nonce-([^']+)'", answer.headers["content-security-policy"])
    scripts = re.findall(r"<script([^>]*)>", answer.text)
    assert scripts
    assert all(f'nonce="{nonce}"' in each for each in scripts)
    assert "unsafe-eval" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["nope.js", "..%2fcore.py", "redoc.standalone.js"])
def test_only_the_files_of_the_page_are_served(api: TestClient, name: str) -> None:
    assert api.get(f"/docs/{name}").status_code == 404


def test_under_a_prefix_page_and_calls_go_there(app: FastAPI) -> None:
    outer = FastAPI()
    outer.mount("/api/v1", app)

    with TestClient(outer, headers=HEADERS) as client:
        page = client.get("/api/v1/").text
        assert "location.origin + '/api/v1/openapi.json'" in page
        assert 'src="/api/v1/docs/swagger-ui-bundle.js"' in page
        schema = client.get("/api/v1/openapi.json").json()

    assert schema["servers"] == [{"url": "/api/v1"}]


def test_the_three_ways_of_a_key_are_in_the_schema(api: TestClient) -> None:
    schema = api.get("/openapi.json").json()

    assert schema["components"]["securitySchemes"].keys() == {
        "API key",
        "API key as bearer",
        "API key as password",
    }
    assert len(schema["paths"]["/v1/jobs"]["post"]["security"]) == 3
    assert "security" not in schema["paths"]["/healthz"]["get"]


def test_every_reference_in_the_schema_leads_somewhere(api: TestClient) -> None:
    text = api.get("/openapi.json").text
    schemas = api.get("/openapi.json").json()["components"]["schemas"]

    assert set(re.findall(r'"\$ref":"([^"]+)"', text)) <= {
        f"#/components/schemas/{name}" for name in schemas
    }


def test_the_last_lifespan_to_end_closes_the_connections(queue: TaskQueue) -> None:
    host = FastAPI()
    host.include_router(create_router(queue, auth=ApiKeys([KEY])))
    host.include_router(create_legacy_router(queue, auth=ApiKeys([KEY])))
    clients = queue.source.client()

    def connected() -> int:
        return len(clients.client_list())

    before = connected()
    with TestClient(host, headers=HEADERS) as client:
        client.get("/v1/jobs")
        assert connected() > before
    anyio.run(anyio.sleep, 0.05)

    assert connected() == before


def test_an_app_that_is_created_has_not_connected() -> None:
    create_app(TaskQueue("redis://127.0.0.1:1"), auth=None)
