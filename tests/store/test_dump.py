"""The result stream written as a dump: a server reads it as the XADD that it stands for."""

from typing import Any

import pytest
import redis
from tests.store.conftest import Child, Spec, ok

from msgqueue.store import steps
from msgqueue.store.codec import pack_value
from msgqueue.store.dump import LARGEST, result_dump

MS = 1_795_000_000_123
SIZES = (0, 1, 47, 48, 93, 94, 95, 96, 1_000, LARGEST * 3 // 4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("worker", ["w", "host.1.abcdefabcdef", "é" * 60, "w" * 300])
def test_a_dump_restores_to_the_entry_it_stands_for(
    client: redis.Redis, size: int, worker: str
) -> None:
    value = pack_value(b"v" * size)
    fields: dict[Any, Any] = {"type": 1, "worker_name": worker, "execution_id": "abc.7"}
    fields |= {"execution_started_at": "1795000000.5", "execution_ended_at": "1795000000.75"}
    if value:
        fields["return_value"] = value
    client.xadd("said", fields, f"{MS}-0")
    client.restore(
        "told", 0, result_dump(MS, worker, value, "abc.7", b"1795000000.5", b"1795000000.75")
    )
    assert client.xrange("told") == client.xrange("said")
    client.xadd("told", {"it": "grows"}, f"{MS}-1")
    assert client.xlen("told") == 2


def test_a_kept_result_takes_what_it_holds(client: redis.Redis, child: Child, spec: Spec) -> None:
    child.store.run(steps.enqueue([spec("a"), spec("b")]))
    small, large = child.claim(2)
    child.work(ok(small), ok(large, b"v" * LARGEST), claim=0)
    assert (client.memory_usage("rq:results:a") or 0) in range(1, 600)
    assert (client.memory_usage("rq:results:b") or 0) in range(LARGEST, 2 * LARGEST)


def test_a_second_result_joins_the_first(client: redis.Redis, child: Child, spec: Spec) -> None:
    child.store.run(steps.enqueue([spec("a")]))
    for value in (b"1", b"2"):
        child.work(ok(child.claim()[0], value), claim=0)
        child.store.run(steps.requeue("a", "2026-11-24T08:00:00.000000Z"))
    entries: Any = client.xrange("rq:results:a")
    assert [fields[b"return_value"] for _, fields in entries] == [b"MQ==", b"Mg=="]
    assert 0 < client.ttl("rq:results:a") <= 500
