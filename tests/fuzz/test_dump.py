"""A result written as a dump: Redis restores it to what XADD would have written."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fuzz.effort import fuzzed

from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer
from msgqueue.store.codec import moment_texts, pack_value
from msgqueue.store.dump import LARGEST, result_dump

workers = st.text(max_size=300)
executions = st.from_regex(r"[0-9a-f]{12}\.[0-9]{1,9}", fullmatch=True)


@pytest.fixture(scope="module")
def client(server: EmbeddedServer) -> Iterator[redis.Redis]:
    source = Source(server.url)
    yield source.client()
    source.close()


@fuzzed(100)
@given(
    worker=workers,
    execution=executions,
    value=st.binary(max_size=LARGEST * 3 // 4),
    times=st.tuples(st.floats(1, 4e9), st.floats(1, 4e9)),
)
@example(worker="w" * 20_000, execution="a.1", value=b"", times=(1.0, 2.0))
@example(worker="\U0001f600" * 1_000, execution="a.1", value=b"v", times=(1.0, 2.0))
def test_a_dump_restores_to_the_entry_that_it_stands_for(
    client: redis.Redis, worker: str, execution: str, value: bytes, times: tuple[float, float]
) -> None:
    started, ended = (moment_texts(each)[0].encode() for each in times)
    ms, packed = int(times[1] * 1000), pack_value(value)
    dump = result_dump(ms, worker, packed, execution, started, ended)
    if not dump:
        assert len(worker) > 1_000
        return
    fields: dict[Any, Any] = {"type": 1, "worker_name": worker, "execution_id": execution}
    fields |= {"execution_started_at": started, "execution_ended_at": ended}
    client.delete("said", "told")
    client.xadd("said", fields | ({"return_value": packed} if packed else {}), f"{ms}-0")

    client.restore("told", 0, dump)

    assert client.xrange("told") == client.xrange("said")
