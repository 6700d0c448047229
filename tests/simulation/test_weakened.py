"""The simulation can fail: without one of the rules, some seed breaks a promise."""

from typing import Final

import pytest
from tests.model.test_stories import STORIES
from tests.model.virtual import Change
from tests.simulation.stage import Result, Stage

from msgqueue.worker.process import ChildProcess

TRIED: Final = 100
#: By the name of the story that needs the rule: a seed, from which on one of TRIED does, too.
SEEDS: Final = {
    "N2 the same seq gets the same answer, even where the sweep would help": 61,
    "N8 a new leader waits for the beats of the living": 13,
    "N8 who leads after a death need not wait again": 3,
    "N10 an enqueue is known by its id": 1,
    "N13 every report is fenced": 1,
}
#: A rule of those who wait for others, and such a seed.
OF_DEPENDENTS: Final = {
    "whoever waits leaves its place when it is let go": (
        Change("parts/dependents.lua", "redis.call('ZREM', RQ .. 'deferred:' .. f[1], id)", ""),
        20,
    ),
    "who has left that place is not let go again": (
        Change("parts/dependents.lua", "id) then return true end", "id) and false then end"),
        38,
    ),
    "every parent lets go": (
        Change("parts/dependents.lua", "if not is_met(id, f[2] == '1') then", "if false then"),
        3,
    ),
    "a mark stands until the last has been looked at": (
        Change(
            "parts/final.lua", "redis.call('ZADD', MQ .. 'handover', score(run.now), run.id)", ""
        ),
        121,
    ),
}
#: A rule by which upkeep sees to what plain rq workers left behind, and such a seed.
OF_PLAIN_WORKERS: Final = {
    "what was noted and not started goes back": (
        Change(
            "leftovers.lua", "job.status == 'queued' and not lies_in_a_list(queue, id)", "false"
        ),
        1765,
    ),
    "what was popped goes back": (
        Change("leftovers.lua", "pcall(unstick_popped, queue)", ""),
        1044,
    ),
    "a run past its expiry is ended": (
        Change("leftovers.lua", "if job.status == 'started' then", "if false then"),
        47,
    ),
}
#: In this seed Redis is away for longer than what it holds may live.
OUTAGE: Final = 34
#: In this one a process dies under several coroutines.
COROUTINES: Final = 13
#: It leaves the script as it is.
NONE_LEFT_OUT: Final = Change("work.lua", "-- work(", "-- work(")


def first_broken(stage: Stage, first: int, *changes: Change) -> Result | None:
    """The first of TRIED seeds that breaks without these rules; what is called when moves it."""
    for seed in range(first, first + TRIED):
        result = stage.play(seed, changes=changes)
        if result.broken:
            return result
    return None


@pytest.mark.parametrize(("name", "seed"), SEEDS.items(), ids=SEEDS.keys())
def test_without_a_rule_a_promise_breaks(stage: Stage, name: str, seed: int) -> None:
    assert first_broken(stage, seed, *STORIES[name].changes)


@pytest.mark.parametrize(("change", "seed"), OF_DEPENDENTS.values(), ids=OF_DEPENDENTS.keys())
def test_without_a_rule_of_dependents_a_promise_breaks(
    stage: Stage, change: Change, seed: int
) -> None:
    assert first_broken(stage, seed, change)


@pytest.mark.parametrize(("change", "seed"), OF_PLAIN_WORKERS.values(), ids=OF_PLAIN_WORKERS.keys())
def test_without_a_rule_of_plain_workers_a_promise_breaks(
    stage: Stage, change: Change, seed: int
) -> None:
    assert first_broken(stage, seed, change)


def test_where_one_alone_of_the_runs_that_died_is_judged_a_promise_breaks(stage: Stage) -> None:
    judged = ChildProcess.judged

    def weaken(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(ChildProcess, "judged", lambda child: judged(child)[:1])

    seeds = range(COROUTINES, COROUTINES + TRIED)
    assert any(stage.play(seed, weaken=weaken).broken for seed in seeds)


@pytest.mark.parametrize("seed", {OUTAGE, *SEEDS.values()})
def test_with_all_rules_none_breaks_where_nothing_is_foretold(stage: Stage, seed: int) -> None:
    assert not stage.play(seed, changes=(NONE_LEFT_OUT,)).broken


def test_a_broken_seed_is_shortened_to_what_it_needs(stage: Stage) -> None:
    changes = STORIES["N13 every report is fenced"].changes
    long = first_broken(stage, 1, *changes)
    assert long
    short = stage.shorten(long, changes)
    assert short.broken
    assert len(short.misfortunes) < len(long.misfortunes)
    assert stage.play(short.seed, short.without, changes).story == short.story
