"""Promise 9: one damaged job is set aside with its raw bytes; everything else goes on."""

from collections.abc import Callable
from typing import Any, Final

import pytest
import redis
from tests.faults import app
from tests.faults.conftest import Judge
from tests.faults.trial import Trial
from tests.patience import wait_until

from msgqueue import JobStatus
from msgqueue.store import steps

Harm = Callable[[redis.Redis, str], object]


def written(field: str, value: bytes) -> Harm:
    """Something else stands in a field."""
    return lambda client, key: client.hset(key, field, value)


def missing(field: str) -> Harm:
    """A field is gone."""
    return lambda client, key: client.hdel(key, field)


def wrong_type(client: redis.Redis, key: str) -> None:
    """A list stands in its place."""
    client.delete(key)
    client.rpush(key, "no hash")


HARMS: Final[dict[str, Harm]] = {
    "no-date": written("created_at", b"yesterday"),
    "no-date-of-queue": written("enqueued_at", b"\xff"),
    "no-timeout": written("timeout", b"soon"),
    "no-calls": written("data", b"\xff\xfe no json"),
    "other-calls": written("data", b'{"a": 1}'),
    "nothing": written("data", b""),
    "unknown-status": written("status", b"dancing"),
    "no-number": written("retries_left", b"many"),
    "no-limit": written("mq_max", b"\x00"),
    "no-ttl": written("result_ttl", b"nan"),
    "no-status": missing("status"),
    "no-data": missing("data"),
    "wrong-type": wrong_type,
    "gone": lambda client, key: client.delete(key),
}


def watch_all(trial: Trial) -> None:
    """Every view still lists what there is."""
    with trial.speaking():
        for status in JobStatus:
            app.queue.jobs(status, limit=100)
        app.queue.counts()


def test_promise_9_a_damaged_job_stands_in_no_others_way(trial: Trial, judge: Judge) -> None:
    for name, harm in HARMS.items():
        trial.enqueue("work", f"good-{name}")
        trial.enqueue("work", name, expected=False)
        harm(trial.client, f"rq:job:{name}")
    trial.client.rpush("rq:queue:first", b"\xff\xfe", "", "never there")
    watch_all(trial)
    supervisor = trial.start(processes=1)
    trial.enqueue("work", "last")
    trial.wait_for_begin("last")
    children = supervisor.children()

    verdict = judge("F18 damaged hashes", trial, sound=False)

    assert verdict.ok == len(HARMS) + 1
    assert supervisor.children() == children
    watch_all(trial)
    with trial.speaking():
        aside = {one.id for one in app.queue.store.run(steps.damaged(100)).newest}
    assert {"no-timeout", "no-data", "wrong-type"} <= aside


def test_promise_9_whatever_byte_is_flipped_the_others_run(
    trial: Trial, judge: Judge, whole: bool
) -> None:
    choice, client = trial.choice, trial.client
    for number in range(600 if whole else 100):
        trial.enqueue("work", f"good-{number}")
        trial.enqueue("work", f"bad-{number}", expected=False)
        fields: dict[Any, Any] = client.hgetall(f"rq:job:bad-{number}")
        del fields[b"data"]  # a flip there makes another call of it
        field = choice.choice(sorted(name for name, value in fields.items() if value))
        value = bytearray(fields[field])
        value[choice.randrange(len(value))] ^= 1 << choice.randrange(8)
        client.hset(f"rq:job:bad-{number}", field, bytes(value))
    supervisor = trial.start(processes=2)

    judge("F18 flipped bytes", trial, sound=False)

    watch_all(trial)
    assert supervisor.alive


@pytest.mark.faults
def test_promise_9_what_is_damaged_while_it_runs_stands_in_no_others_way(
    trial: Trial, judge: Judge
) -> None:
    supervisor = trial.start(processes=len(HARMS))
    for number in range(len(HARMS)):
        trial.enqueue("work", f"bad-{number}", 1.0, expected=False)
    for number, harm in enumerate(HARMS.values()):
        trial.wait_for_begin(f"bad-{number}")
        harm(trial.client, f"rq:job:bad-{number}")
    for number in range(50):
        trial.enqueue("work", f"good-{number}")

    verdict = judge("F18 damaged while they run", trial, strict=False, sound=False)

    watch_all(trial)
    assert all(key.startswith("bad") for key in verdict.duplicated)
    assert supervisor.alive
    wait_until(lambda: len(supervisor.children()) == len(HARMS), 10, "all children")
