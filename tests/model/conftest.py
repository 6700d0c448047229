"""One clock for the whole module, and a world on an empty database for each test."""

from collections.abc import Callable, Iterator

import pytest
from tests.model.virtual import Change, VirtualRedis, VirtualTime
from tests.model.world import World, install

from msgqueue.connection import Source

NewWorld = Callable[..., World]


@pytest.fixture(scope="session")
def virtual_time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def _played(virtual_time: VirtualTime) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        install(patch, virtual_time)
        yield


@pytest.fixture
def new_world(source: Source, virtual_time: VirtualTime, _played: None) -> Iterator[NewWorld]:
    """`new_world(*changes)`: a run on an empty database, without some rules of the scripts.

    Where a rule is missing, the model cannot foretell: the promises alone are judged.
    """
    made: list[VirtualRedis] = []

    def make(*changes: Change, foretelling: bool = True) -> World:
        virtual_time.reset()
        source.client().flushdb()
        made.append(VirtualRedis(source, virtual_time, changes))
        return World(made[-1], foretelling=foretelling)

    yield make
    for redis in made:
        redis.close()


@pytest.fixture
def world(new_world: NewWorld) -> World:
    return new_world()
