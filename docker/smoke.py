"""Uses the API as a client would, from inside the compose network.

    smoke.py              post ten jobs, wait for them, look at the pages
    smoke.py post N       post N jobs, print their ids
    smoke.py wait ID...   wait until every one is finished
    smoke.py pages        /docs and /rq open with the key, and not without it

Ends with 1 and one line on stderr when something is not as it should be.
"""

import base64
import json
import sys
import time
from collections.abc import Iterable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

API = "http://api:8080"
KEY = Path("/secrets/api/key").read_text().strip()
PATIENCE = 180.0  # seconds for all the jobs


def main(action: str = "all", *arguments: str) -> None:
    if action == "post":
        print("\n".join(post(int(arguments[0]))))
    elif action == "wait":
        wait(arguments)
    elif action == "pages":
        pages()
    else:
        wait(post(10))
        pages()


def post(count: int) -> list[str]:
    return [
        call("/app/tasks/receive", {"title": f"smoke {number}"})["job_id"]
        for number in range(count)
    ]


def wait(ids: Iterable[str]) -> None:
    waiting = set(ids)
    total = len(waiting)
    deadline = time.monotonic() + PATIENCE
    while waiting:
        if time.monotonic() > deadline:
            raise SystemExit(f"smoke: {len(waiting)} of {total} jobs not finished: {waiting}")
        waiting -= listed("finished")
        if lost := waiting & (listed("failed") | listed("cancelled")):
            raise SystemExit(f"smoke: failed: {lost}")
        time.sleep(0.5)
    print(f"smoke: {total} of {total} jobs finished")


def pages() -> None:
    for path in ("/docs", "/rq/"):
        expect(path, 401)
        basic = base64.b64encode(f"smoke:{KEY}".encode()).decode()
        expect(path, 200, Authorization=f"Basic {basic}")
    print("smoke: /docs and /rq open with the key, and only with it")


def expect(path: str, status: int, **headers: str) -> None:
    with opened(Request(API + path, headers=headers)) as answer:
        if answer.status != status:
            raise SystemExit(f"smoke: {path} answered {answer.status}, not {status}")


def listed(state: str) -> set[str]:
    return {job["job_id"] for job in call(f"/app/tasks/{state}_jobs?limit=1000")}


def call(path: str, body: object = None) -> Any:
    """One call; while Redis is away, the API answers 503 and the call is made again."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    deadline = time.monotonic() + 30
    while True:
        with opened(Request(API + path, data, headers)) as answer:
            text = answer.read()
        if answer.status == 200:
            return json.loads(text)
        if answer.status != 503 or time.monotonic() > deadline:
            raise SystemExit(f"smoke: {path} answered {answer.status}: {text.decode()}")
        time.sleep(0.5)


def opened(request: Request) -> HTTPResponse | HTTPError:
    try:
        answer: HTTPResponse = urlopen(request, timeout=10)
    except HTTPError as error:
        return error
    except URLError as error:
        raise SystemExit(f"smoke: {request.full_url}: {error.reason}") from None
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
