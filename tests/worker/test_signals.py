"""What a supervisor hears from Redis while it waits."""

from collections.abc import Iterator

import pytest
import redis
from rq.command import send_kill_horse_command, send_shutdown_command
from tests.conftest import Eventually

from msgqueue.connection import Source
from msgqueue.store.signals import Signal, Wakeup


@pytest.fixture
def wakeup(source: Source) -> Iterator[Wakeup]:
    wakeup = Wakeup(source, ("high", "default"))
    assert wakeup.connect()
    yield wakeup
    wakeup.close()


def heard(wakeup: Wakeup, eventually: Eventually) -> list[Signal]:
    """What comes first."""
    signals: list[Signal] = []

    def read() -> bool:
        signals.extend(wakeup.read())
        return bool(signals)

    eventually(read)
    return signals


def test_a_queue_that_is_not_empty_is_heard_at_once(
    wakeup: Wakeup, client: redis.Redis, eventually: Eventually
) -> None:
    client.rpush("rq:queue:default", "a")

    wakeup.arm()

    assert heard(wakeup, eventually) == [Signal("work")]


@pytest.mark.parametrize("queue", ["high", "default"])
def test_a_push_to_any_of_the_queues_is_heard_once(
    wakeup: Wakeup, client: redis.Redis, eventually: Eventually, queue: str
) -> None:
    wakeup.arm()
    eventually(lambda: not wakeup.read() and not wakeup._asked)

    for number in range(3):
        client.rpush(f"rq:queue:{queue}", number)

    assert heard(wakeup, eventually) == [Signal("changed")]
    assert wakeup.read() == []


def test_nothing_is_taken_from_the_queue(
    wakeup: Wakeup, client: redis.Redis, eventually: Eventually
) -> None:
    client.rpush("rq:queue:default", "a", "b")
    wakeup.arm()
    heard(wakeup, eventually)

    assert client.lrange("rq:queue:default", 0, -1) == [b"a", b"b"]


def test_rqs_commands_to_a_worker_are_heard(
    wakeup: Wakeup, client: redis.Redis, eventually: Eventually
) -> None:
    wakeup.listen("ours.1")
    eventually(lambda: dict(client.pubsub_numsub("rq:pubsub:ours.1"))[b"rq:pubsub:ours.1"])

    send_shutdown_command(client, "ours.1")
    assert heard(wakeup, eventually) == [Signal("shutdown", "ours.1")]
    send_kill_horse_command(client, "ours.1")
    assert heard(wakeup, eventually) == [Signal("kill", "ours.1")]


@pytest.mark.parametrize(
    "message",
    [
        *("", "no json", "[]", '{"command": "dance"}', '{"command": []}', "[" * 5_000),
        *(b"\xff", '{"command": "stop-job", "job_id": "\\ud800"}'),
    ],
    ids=lambda message: str(message)[:30],
)
def test_a_message_that_is_no_command_is_passed_over(
    wakeup: Wakeup, client: redis.Redis, eventually: Eventually, message: str | bytes
) -> None:
    wakeup.listen("ours.1")
    eventually(lambda: client.publish("rq:pubsub:ours.1", message))
    client.publish("rq:pubsub:ours.1", '{"command": "shutdown"}')

    assert heard(wakeup, eventually) == [Signal("shutdown", "ours.1")]
