"""The simulation can fail: without one of the rules, some seed breaks a promise."""

from typing import Final

import pytest
from tests.model.test_stories import STORIES
from tests.simulation.stage import Stage

#: By the name of the story that needs the rule: a seed that does, too.
SEEDS: Final = {
    "N2 the same seq gets the same answer, even where the sweep would help": 34,
    "N8 a new leader waits for the beats of the living": 13,
    "N8 who leads after a death need not wait again": 3,
    "N10 an enqueue is known by its id": 1,
    "N13 every report is fenced": 1,
}


@pytest.mark.parametrize(("name", "seed"), SEEDS.items(), ids=SEEDS.keys())
def test_without_a_rule_a_promise_breaks(stage: Stage, name: str, seed: int) -> None:
    assert stage.play(seed, changes=STORIES[name].changes).broken


def test_a_broken_seed_is_shortened_to_what_it_needs(stage: Stage) -> None:
    changes = STORIES["N13 every report is fenced"].changes
    long = stage.play(1, changes=changes)
    short = stage.shorten(long, changes)
    assert short.broken
    assert len(short.misfortunes) < len(long.misfortunes)
    assert stage.play(short.seed, short.without, changes).story == short.story
