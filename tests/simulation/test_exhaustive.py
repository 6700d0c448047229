"""Every interleaving of two workers' calls about one job, with a fault at every point."""

from typing import Final

import pytest
from tests.model.test_stories import NO_SEQ, STORIES
from tests.model.virtual import Change
from tests.simulation.exhaustive import Search
from tests.simulation.scene import Limits

from msgqueue.connection import Source

ONE_FAULT: Final = (
    Limits(),
    Limits(kills=1),
    Limits(kills=1, deliveries=1),
    Limits(machines=1),
    Limits(losses=1),
    Limits(copies=1),
    Limits(cancels=1),
)
WEAKENED: Final = {
    "the same call again gets the same answer": ((NO_SEQ,), Limits(losses=1)),
    "settle reads the answer that the child never read": (
        STORIES["N4 settle reads the answer that the child never read"].changes,
        Limits(kills=1),
    ),
    "settle closes the lane": (STORIES["N5 settle closes the lane"].changes, Limits(kills=1)),
    "cancel asks whoever holds the job": (
        STORIES["N9 cancel asks whoever holds the job"].changes,
        Limits(cancels=1),
    ),
}


@pytest.mark.parametrize("limits", ONE_FAULT, ids=str)
def test_every_way_ends_well(source: Source, limits: Limits) -> None:
    found = Search(source, limits).run()
    assert not found.broken, "\n".join([*found.story, found.broken])
    assert found.interleavings >= found.runs


@pytest.mark.parametrize(("changes", "limits"), WEAKENED.values(), ids=WEAKENED.keys())
def test_without_a_rule_some_way_breaks_a_promise(
    source: Source, changes: tuple[Change, ...], limits: Limits
) -> None:
    assert Search(source, limits, changes).run().broken
