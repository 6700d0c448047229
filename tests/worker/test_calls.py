"""The supervisor's calls to Redis: none is dropped, and none stands in the others' way."""

import select
import time

import redis

from msgqueue.connection import Source
from msgqueue.store import steps
from msgqueue.worker.calls import Calls


def go_on(calls: Calls, seconds: float = 1.0) -> None:
    """What the supervisor's loop does."""
    until = time.monotonic() + seconds
    while not calls.idle and time.monotonic() < until:
        fd = calls.fileno()
        if fd is not None and select.select([fd], [], [], 0.05)[0]:
            calls.receive()
        calls.go()


def test_what_is_asked_is_answered_in_order(calls: Calls) -> None:
    heard: list[object] = []
    for number in range(5):
        calls.ask(lambda n=number: steps.waiting([f"q{n}"]), heard.append)  # type: ignore[misc] # of a lambda's default

    go_on(calls)

    assert heard == [{f"q{n}": 0} for n in range(5)]


def test_one_that_is_refused_does_not_stand_in_the_way(calls: Calls, client: redis.Redis) -> None:
    client.set("rq:job:odd", "no hash")
    heard: list[object] = []
    calls.ask(lambda: steps.read("odd"), heard.append)
    calls.ask(lambda: steps.waiting(["default"]), heard.append)

    go_on(calls)
    assert heard == [{"default": 0}]
    assert not calls.idle

    client.delete("rq:job:odd")
    go_on(calls, 5.0)
    assert heard == [{"default": 0}, None]


def test_who_asked_hears_that_redis_is_back(source: Source, client: redis.Redis) -> None:
    backs: list[str] = []
    calls = Calls(source, lambda: backs.append("back"))
    client.replicaof("127.0.0.1", "1")
    try:
        calls.ask(lambda: steps.lead("me"), lambda _: None)
        go_on(calls, 0.3)
        assert (calls.away, backs) == (True, [])
    finally:
        client.replicaof("NO", "ONE")

    go_on(calls, 3.0)
    assert (calls.away, backs) == (False, ["back"])
    calls.close()
