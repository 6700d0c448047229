"""One clock for the whole module, and a world on an empty database for each test."""

from collections.abc import Callable, Iterator

import pytest
from tests.model.effort import is_long
from tests.model.virtual import Change, VirtualRedis, VirtualTime
from tests.model.world import World, install

from msgqueue.connection import Source


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell the seed of a long run."""
    seed = config.getoption("--hypothesis-seed", None)
    if is_long() and seed is not None:
        terminalreporter.section("model")
        terminalreporter.write_line(f"the same again: nox -s model -- --hypothesis-seed={seed}")


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
    made: dict[tuple[Change, ...], VirtualRedis] = {}

    def make(*changes: Change, foretelling: bool = True) -> World:
        virtual_time.reset()
        if changes not in made:
            made[changes] = VirtualRedis(source, virtual_time, changes)
        made[changes].plain.flushdb()
        return World(made[changes], foretelling=foretelling)

    yield make
    for redis in made.values():
        redis.close()


@pytest.fixture
def world(new_world: NewWorld) -> World:
    return new_world()
