"""Some seeds, always the same. `nox -s simulate` plays thousands."""

from typing import Final

import pytest
from tests.simulation.stage import Stage

SEEDS: Final = 60
SHOWN: Final = (9, 13, 39, 47)  # with coroutines, dependents and plain rq workers among them


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_every_promise_holds_whatever_goes_wrong(stage: Stage, seed: int) -> None:
    result = stage.play(seed)
    assert not result.broken, "\n".join([*result.story, result.broken or "", result.command])


@pytest.mark.parametrize("seed", SHOWN)
def test_a_seed_is_always_the_same_story(stage: Stage, seed: int) -> None:
    first = stage.play(seed)
    assert first.misfortunes
    assert stage.play(seed).story == first.story


def test_what_is_left_out_does_not_happen(stage: Stage) -> None:
    misfortunes = frozenset(stage.play(9).misfortunes)
    assert not misfortunes & set(stage.play(9, without=misfortunes).misfortunes)
