"""The machine finds what a weakened script breaks, in as many sequences as of sound ones."""

from typing import Final

import pytest
from hypothesis.stateful import run_state_machine_as_test
from tests.model.conftest import NewWorld
from tests.model.effort import TRIED, alike, is_long
from tests.model.ledger import Broken
from tests.model.test_machine import machine
from tests.model.test_stories import STORIES
from tests.model.virtual import Change

OWN: Final = {
    "a report is fenced": Change("work.lua", "if owned[run.member] then", "if true then"),
    "a job that died is claimed alone": Change("work.lua", "if died or f[MAX]", "if f[MAX]"),
    "what was handled leaves the queue": Change(
        "work.lua", "redis.call('LPOP', list, handled)", "redis.call('LPOP', list, 1)"
    ),
    "each worker of a queue gets its share": Change(
        "work.lua", "math.max(1, math.min(wanted,", "math.max(wanted, math.min(wanted,"
    ),
    "what comes back is merged by its turn": Change(
        "parts/front.lua", "or at >= latest then break", "or true then break"
    ),
    "a retry is used up": Change(
        "parts/again.lua", "redis.call('HINCRBY', key, 'retries_left', -1)", ""
    ),
    "deaths have a limit": Change(
        "parts/endings.lua", "job.deaths + 1 >= (job.max", "job.deaths >= (job.max"
    ),
    "offers have an end": Change(
        "parts/again.lua", "if number == job.declined then pause", "if true then pause"
    ),
    "a stop of a declined run wins": Change(
        "parts/again.lua", "if job.stop == run.execution or not pause", "if not pause"
    ),
    "each run is offered anew": Change(
        "parts/again.lua", "if job.declined ~= 0 then", "if false then"
    ),
    "a due job leaves its place": Change(
        "promote.lua", "if redis.call('ZREM', zset, id) == 0 or", "if"
    ),
    "a scheduler's lock is respected": Change(
        "promote.lua", "if owner and owner ~= holder then", "if false then"
    ),
    "dependents follow": Change("parts/dependents.lua", "if not ok or over then", "if true then"),
    "who waits for nobody is freed": Change("orphans.lua", "if not over then", "if true then"),
    "who waits for somebody waits": Change("orphans.lua", "if not over then", "if false then"),
    "a final job expires": Change(
        "parts/final.lua", "  expire(run.key, ttl)\n  until_when", "  until_when"
    ),
    "a final job is not cancelled": Change(
        "cancel.lua", "if place == 'final' then", "if false then"
    ),
    "a claimed job is not deleted": Change("delete.lua", "if place == 'claimed' or", "if"),
    "a retry of a final job leaves its registry": Change(
        "requeue.lua", "if place_of(id, f) ~= 'final' then", "if false then"
    ),
    "a sweep is the leader's": Change("sweep.lua", "if held[1] ~= ARGV[1] then", "if false then"),
    "a closed lane stays closed": Change(
        "beat.lua", "local closed = state[2] or", "local closed ="
    ),
}
WEAKENED: Final = {name: (change,) for name, change in OWN.items()} | {
    name: story.changes for name, story in STORIES.items() if story.changes
}
#: By default a handful; all of them in the long profile.
HANDFUL: Final = (
    "a retry is used up",
    "each worker of a queue gets its share",
    "a due job leaves its place",
    "N3 a smaller seq is refused",
    "N5 settle closes the lane",
    "N13 every report is fenced",
)
CHOSEN: Final = {name: WEAKENED[name] for name in (WEAKENED if is_long() else HANDFUL)}


@pytest.mark.slow
@pytest.mark.parametrize("changes", CHOSEN.values(), ids=CHOSEN.keys())
def test_the_machine_finds_what_a_weakened_script_breaks(
    new_world: NewWorld, changes: tuple[Change, ...]
) -> None:
    with pytest.raises(Broken):
        run_state_machine_as_test(
            machine(new_world, *changes), settings=alike(2_000 if is_long() else TRIED)
        )
