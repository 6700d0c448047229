"""The scripts over a damaged job: it is set aside or left, and all others go on."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import canary
from tests.fuzz.effort import fuzzed
from tests.fuzz.wreck import ACTS, PLACES, WHOLE, Damage, Place, Wreck, damages
from tests.store.conftest import places, status

from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer
from msgqueue.store import steps
from msgqueue.store.run import Store


@pytest.fixture(scope="module")
def source(server: EmbeddedServer) -> Iterator[Source]:
    source = Source(server.url)
    yield source
    source.close()


@pytest.fixture(scope="module")
def store(source: Source) -> Iterator[Store]:
    store = Store(source)
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(source: Source) -> redis.Redis:
    return source.client()


def asked_for_ever(wrong: Damage) -> bool:
    ttls = (wrong.fields.get(name, b"").strip() for name in ("result_ttl", "failure_ttl"))
    return any(ttl.startswith(b"-") for ttl in ttls)


@fuzzed(100)
@given(
    place=st.sampled_from(PLACES),
    wrong=damages,
    acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=6),
)
def test_promise_9_a_damaged_job_takes_no_other_with_it(
    store: Store, client: redis.Redis, place: Place, wrong: Damage, acts: list[str]
) -> None:
    canary.SANG.clear()
    wreck = Wreck(store, client, place, wrong)

    for act in acts:
        wreck.act(act)
    wreck.work_off()

    for whole in WHOLE:
        assert status(client, whole) == b"finished"
        assert places(client, whole) == ["finished"]
        assert client.xlen(f"rq:results:{whole}") == 1
    assert client.zcard("rq:wip:default") == 0
    assert client.llen("rq:queue:default") == 0
    for one in store.run(steps.damaged(10)).newest:
        assert one.id not in WHOLE
        assert store.run(steps.remains(one.id)) is not None
    for key in client.scan_iter("rq:results:*", _type="stream"):
        assert client.ttl(key) > 0 or asked_for_ever(wrong)
    assert canary.SANG == []
