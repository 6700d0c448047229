"""What is left of jobs that expire, to the millisecond, and where their ids come again."""

import pytest
from tests.model import invariants
from tests.model.hands import Hand
from tests.model.ledger import ensure
from tests.model.snapshot import parse
from tests.model.world import QUEUES, World

from msgqueue.jobs import Kind
from msgqueue.store import steps


@pytest.fixture
def hand(world: World) -> Hand:
    return Hand(world, 1)


def enqueue(world: World, queue: str = "default", result_ttl: int = 30) -> None:
    spec = world.spec("a", queue=queue, result_ttl=result_ttl, failure_ttl=60)
    world.call("a client", steps.enqueue([spec]))


def run(hand: Hand, kind: Kind) -> None:
    hand.beat()  # the clock may have passed the end of its registration
    hand.work(1, "answered")
    hand.begin()
    hand.end(kind)
    hand.work(0, "answered")


def check(world: World) -> None:
    world.check()
    counts = world.redis.run(steps.counts(QUEUES))
    for fault in invariants.counts_agree(world.model, counts):
        ensure(False, fault)


def test_a_job_is_there_and_counted_through_its_last_millisecond(world: World, hand: Hand) -> None:
    enqueue(world)
    run(hand, "ok")
    world.advance(30)
    check(world)
    assert "a" in world.model.jobs
    world.advance(0.001)
    check(world)
    assert "a" not in world.model.jobs


@pytest.mark.parametrize("kind", ["ok", "error"])
def test_an_id_that_comes_again_and_whose_former_job_a_clock_set_back_revives(
    world: World, hand: Hand, kind: Kind
) -> None:
    enqueue(world)
    run(hand, kind)
    world.jump(100)
    enqueue(world)
    check(world)
    world.jump(-100)
    check(world)
    run(hand, "ok")
    check(world)
    world.call("upkeep", steps.trim("default"))
    check(world)


@pytest.mark.parametrize("trimmed", [False, True])
def test_an_id_that_was_cancelled_expired_and_is_cancelled_again_in_another_queue(
    world: World, trimmed: bool
) -> None:
    for queue in QUEUES:
        enqueue(world, queue)
        world.call("a client", steps.cancel("a", world.time.text))
        check(world)
        if trimmed:
            world.call("upkeep", steps.trim(QUEUES[0]))
            check(world)
        world.advance(61)
    enqueue(world, "high")
    check(world)


@pytest.mark.parametrize("held", [False, True])
def test_results_kept_for_ever_expire_with_their_job_once_it_is_run_again_and_cancelled(
    world: World, hand: Hand, held: bool
) -> None:
    enqueue(world, result_ttl=-1)
    run(hand, "ok")
    world.advance(0.001)
    world.call("a client", steps.requeue("a", world.time.text))
    if held:
        hand.work(1, "answered")
    world.call("a client", steps.cancel("a", world.time.text))
    if held:
        hand.release()
    check(world)
    assert parse(world.redis.snapshot()).content("rq:results:a")
    world.advance(61)
    check(world)
    assert not parse(world.redis.snapshot()).content("rq:results:a")
