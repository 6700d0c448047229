"""The stories of the protocol: each needs one rule, and is told once without that rule."""

from collections.abc import Callable
from typing import Final, NamedTuple

import pytest
from tests.model.actors import Client
from tests.model.conftest import NewWorld
from tests.model.ledger import Broken, ensure
from tests.model.virtual import Change
from tests.model.workers import Child, Supervisor
from tests.model.world import World

from msgqueue.store import steps
from msgqueue.worker import exchange
from msgqueue.worker.child_jobs import ChildJobs
from msgqueue.worker.journal import JournalWriter

Weaken = Callable[[pytest.MonkeyPatch, World], None]


def nothing(patch: pytest.MonkeyPatch, world: World) -> None:
    """The rule is one of the scripts."""


class Story(NamedTuple):
    """What is told, and how its rule is switched off: in the scripts, or in the worker."""

    tell: Callable[[World], None]
    changes: tuple[Change, ...] = ()
    weaken: Weaken = nothing


def crew(world: World, children: int = 1, claim: int = 2) -> tuple[Client, Supervisor, list[Child]]:
    """A client, and a supervisor whose children rest."""
    client, supervisor = world.client(), world.supervisor(children, claim)
    world.settle(0.5)
    return client, supervisor, [ward.child for ward in supervisor.wards]


def end_well(world: World, seconds: float = 26) -> None:
    """Without further faults all jobs become final, and every invariant holds."""
    world.unsent.clear()
    world.unanswered.clear()
    world.deaf = False
    world.settle(seconds)
    world.check()
    world.ledger.check_end(())


def never_counted(world: World, *job_ids: str) -> None:
    """No attempt was counted for a run that never began."""
    for job_id in job_ids:
        attempts = world.tale(job_id).attempts
        ensure(attempts == [1], f"{job_id} began as attempts {attempts}")


def a_lost_answer(world: World) -> None:
    client, _, [child] = crew(world)
    world.losing[child.name] = 1
    world.enqueue(client, world.spec("a"))
    end_well(world)
    never_counted(world, "a")


def a_late_copy_of_a_call(world: World) -> None:
    client, _, [child] = crew(world)
    world.unsent.add(child.name)
    world.enqueue(client, world.spec("a"))
    world.settle(0.1)
    [stray] = [call for call in world.wire.calls if call.sender == child.name]
    world.wire.cut(stray, stray=True)
    world.settle(0.1)  # it is sent again
    [again] = [call for call in world.wire.calls if call.link]
    world.wire.execute(again)
    world.wire.answer(again)
    child.resume()  # it runs the job, and makes its second call
    [second] = [call for call in world.wire.calls if call.sender == child.name and call.link]
    world.wire.execute(second)
    world.enqueue(client, world.spec("b"))
    child.frozen = True
    world.settle(0.1)
    world.wire.execute(stray)
    child.frozen = False
    end_well(world)
    never_counted(world, "a", "b")


def killed_with_its_answer_under_way(world: World) -> None:
    client, _, [child] = crew(world)
    world.unanswered.add(child.name)
    world.enqueue(client, world.spec("a"))
    world.enqueue(client, world.spec("b"))
    world.settle(0.1)
    child.die()
    end_well(world)
    never_counted(world, "a", "b")


def a_call_of_the_dead(world: World) -> None:
    client, supervisor, [child] = crew(world)
    world.unsent.add(child.name)
    world.enqueue(client, world.spec("a"))
    world.settle(0.1)
    supervisor.fleet.wanted = 0
    child.die()
    world.settle(1)  # the supervisor settles its account
    supervisor.fleet.wanted = 1
    end_well(world)
    never_counted(world, "a")


def frozen_with_a_claim(world: World) -> None:
    client, supervisor, [child] = crew(world)
    other = world.supervisor()
    world.unanswered.add(child.name)
    world.enqueue(client, world.spec("a", seconds=20))
    supervisor.fleet.wake(1)
    other.frozen = True
    world.settle(0.1)
    other.frozen = False
    world.freeze(supervisor)
    world.unanswered.clear()
    world.settle(15)  # swept, and begun by the other
    world.freeze(supervisor, thaw=True)
    end_well(world)


def a_beat_that_does_not_name_it(world: World) -> None:
    client, _, [child] = crew(world)
    world.unanswered.add(child.name)
    world.enqueue(client, world.spec("a"))
    world.settle(0.1)
    child.frozen = True
    world.unanswered.clear()
    client.tell(steps.cancel("a", world.time.text), lambda _: None)
    world.settle(11)  # its supervisor beats; the sweep ends the job as stopped
    ensure(world.tale("a").job.final, "nobody swept it")
    child.frozen = False
    end_well(world)


def an_outage(world: World) -> None:
    client, first, _ = crew(world)
    world.enqueue(client, world.spec("a", seconds=25))
    world.settle(1)
    second = world.supervisor()
    world.settle(1)
    world.outage()
    world.settle(10)
    world.outage(over=True)
    world.unsent.add(first.name)  # it reconnects a little later
    world.settle(3)
    world.unsent.clear()
    end_well(world)
    ensure(second.alive and len(world.tale("a").starts) == 1, "a living worker's job ran twice")


def machines_that_never_live_long(world: World) -> None:
    client, machine, _ = crew(world)
    world.enqueue(client, world.spec("a", seconds=3))
    world.settle(1)
    for _ in range(3):
        world.kill_machine(machine)
        world.settle(1)
        machine = world.supervisor()
        world.settle(4)
    ensure(len(world.tale("a").starts) > 1, "nobody lived long enough to sweep")
    end_well(world, 40)


def a_clock_set_back(world: World) -> None:
    world.supervisor(processes=0)  # it sweeps
    world.settle(1)
    client, _, _ = crew(world)
    world.settle(60)
    world.enqueue(client, world.spec("a", seconds=20))
    for _ in range(20):
        world.settle(0.5)
        world.jump(-2)  # what was refreshed before lies in the future
    end_well(world)
    ensure(len(world.tale("a").starts) == 1, "a living worker's job ran twice")


def cancelled_once_claimed(world: World) -> None:
    client, _, [child] = crew(world)
    world.unanswered.add(child.name)
    world.enqueue(client, world.spec("a", seconds=1))
    world.settle(0.1)
    client.tell(steps.cancel("a", world.time.text), lambda _: None)
    world.deaf = True
    world.settle(0.1)
    end_well(world)


def an_enqueue_sent_again(world: World) -> None:
    client, _, _ = crew(world)
    world.losing[client.name] = 1
    world.enqueue(client, world.spec("a"))
    end_well(world)
    ensure(world.ledger.begins["a"] == 1, "it ran twice")


def an_enqueue_that_comes_late(world: World) -> None:
    client, _, _ = crew(world)
    world.unsent.add(client.name)
    world.enqueue(client, world.spec("a", result_ttl=0))
    world.settle(2)
    [stray] = [call for call in world.wire.calls if call.sender == client.name]
    world.wire.cut(stray, stray=True)
    world.settle(0.5)
    [again] = [call for call in world.wire.calls if call.link]
    world.wire.execute(again)
    world.settle(5)  # it runs, and leaves nothing
    world.wire.execute(stray)
    world.unsent.clear()
    end_well(world)
    ensure(world.ledger.begins["a"] == 1, "it ran twice")


def stopped_while_held(world: World) -> None:
    client, _, _ = crew(world, claim=3)
    specs = [world.spec("a", seconds=5), world.spec("b"), world.spec("c")]
    client.tell(steps.enqueue(specs), lambda _: None)
    world.settle(0.02)
    world.deaf = True
    client.tell(steps.cancel("b", world.time.text), lambda _: None)
    world.settle(2)  # a takes long: b and c are released
    end_well(world)


def stopped_and_swept(world: World) -> None:
    client, first, [child] = crew(world)
    world.unanswered.add(child.name)
    world.enqueue(client, world.spec("a"))
    world.settle(0.1)
    client.tell(steps.cancel("a", world.time.text), lambda _: None)
    world.settle(0.1)
    world.kill_machine(first)
    world.supervisor()
    end_well(world)


def settled_late(world: World) -> None:
    client, first, [child] = crew(world)
    world.enqueue(client, world.spec("a", seconds=5))
    world.settle(1)
    world.supervisor()
    world.freeze(first)
    world.settle(20)  # swept, and run by the other
    ensure(world.tale("a").job.status == "finished", "the other did not run it")
    child.die()
    world.freeze(first, thaw=True)
    end_well(world)


def a_sweep_undone(world: World) -> None:
    client, first, [child] = crew(world)
    second = world.supervisor(processes=0)
    world.unanswered.add(child.name)
    world.enqueue(client, world.spec("a"))
    world.settle(0.1)
    world.freeze(first)
    world.unanswered.clear()
    world.settle(7)  # not yet
    saved = world.save()
    world.settle(5)
    ensure(world.tale("a").job.status == "queued", "nobody swept it")
    world.freeze(first, thaw=True)
    child.resume()  # it reads the answer, too late
    for call in world.wire.calls:
        ensure(call.sender != child.name or call.done, "it has claimed it anew")
    world.unsent.add(child.name)
    world.settle(3)  # a beat says that it is lost
    world.fail_over(saved)
    ensure(second.alive, "")
    end_well(world)


NO_SEQ: Final = Change("work.lua", "if seq == tonumber(lane_state[1]) then", "if false then")
BY_WORKER_KEY: Final = Change(
    "sweep.lua",
    "  local ok, said = pcall(die,",
    "  if redis.call('EXISTS', RQ .. 'worker:' .. run.worker) == 1 then return end\n"
    "  local ok, said = pcall(die,",
)


def no_limit(patch: pytest.MonkeyPatch, _world: World) -> None:
    patch.setattr(exchange, "BEGIN_WITHIN", float("inf"))


def any_beat_extends(patch: pytest.MonkeyPatch, world: World) -> None:
    """As if the beats that were sent meanwhile had confirmed what they did not name."""
    hold = JournalWriter.hold
    patch.setattr(
        JournalWriter,
        "hold",
        lambda self, jobs, _limit: hold(self, jobs, world.time.clock() + exchange.BEGIN_WITHIN),
    )


def never_forget(patch: pytest.MonkeyPatch, _world: World) -> None:
    patch.setattr(ChildJobs, "returned", lambda *_: None)


STORIES: Final = {
    "N1 the same seq gets the same answer": Story(a_lost_answer, (NO_SEQ, BY_WORKER_KEY)),
    "N2 the same seq gets the same answer, even where the sweep would help": Story(
        a_lost_answer, (NO_SEQ,)
    ),
    "N3 a smaller seq is refused": Story(
        a_late_copy_of_a_call,
        (
            Change(
                "work.lua", "if seq < tonumber(lane_state[1]) then return {'old', 0, {}} end", ""
            ),
        ),
    ),
    "N4 settle reads the answer that the child never read": Story(
        killed_with_its_answer_under_way,
        (Change("settle.lua", "if lane_state[1] then", "if false then"),),
    ),
    "N5 settle closes the lane": Story(
        a_call_of_the_dead, (Change("settle.lua", "leave(worker_key, now_text)", ""),)
    ),
    "N6 a job begins within a limit": Story(frozen_with_a_claim, weaken=no_limit),
    "N7 a beat extends only what it names": Story(
        a_beat_that_does_not_name_it, weaken=any_beat_extends
    ),
    "N8 a new leader waits for the beats of the living": Story(
        an_outage, (Change("sweep.lua", "HOLD, PAGE = 8, 4, 100", "HOLD, PAGE = 8, 0, 100"),)
    ),
    "N8 who leads after a death need not wait again": Story(
        machines_that_never_live_long,
        (Change("lead.lua", "tonumber(held[3] or '') or time", "time"),),
    ),
    "N8 whoever sweeps waits where the clock went back": Story(
        a_clock_set_back,
        (
            Change("lead.lua", "held[4] > score(time)", "false"),
            Change("sweep.lua", "held[3] > score(time) or", ""),
        ),
    ),
    "N9 cancel asks whoever holds the job": Story(
        cancelled_once_claimed,
        (
            Change(
                "cancel.lua", "if place == 'claimed' or place == 'running' then", "if false then"
            ),
        ),
    ),
    "N10 an enqueue is known by its id": Story(
        an_enqueue_sent_again,
        (Change("enqueue.lua", "local known = f[1] or f[2]", "local known = false"),),
    ),
    "N11 a job that vanished is still known": Story(
        an_enqueue_that_comes_late,
        (Change("enqueue.lua", "has_trace(id, '+' .. created_at)", "false"),),
    ),
    "N12 a stop is heeded by release": Story(
        stopped_while_held,
        (Change("parts/endings.lua", "if job.stop == execution and", "if false and"),),
    ),
    "N12 a stop is heeded by the sweep": Story(
        stopped_and_swept,
        (Change("parts/endings.lua", "elseif job.stop == run.execution or", "elseif false or"),),
    ),
    "N13 every report is fenced": Story(
        settled_late,
        (
            Change(
                "parts/wip.lua",
                "return redis.call('ZSCORE', RQ .. 'wip:' .. queue, member(id, execution))",
                "return '1'",
            ),
        ),
    ),
    "N14 what a beat called lost is forgotten": Story(a_sweep_undone, weaken=never_forget),
}
TOLD: Final = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())


@TOLD
def test_the_protocol_keeps_its_promises(new_world: NewWorld, story: Story) -> None:
    story.tell(new_world())


@TOLD
def test_without_its_rule_a_promise_breaks(
    new_world: NewWorld, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world(*story.changes, foretelling=False)
    story.weaken(monkeypatch, world)
    with pytest.raises(Broken):
        story.tell(world)
