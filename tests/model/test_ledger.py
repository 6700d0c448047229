"""The ledger accuses nobody who kept the promises."""

from tests.model.hands import Hand
from tests.model.world import World

from msgqueue.jobs import JobSpec
from msgqueue.store import steps


def test_an_id_whose_first_mention_in_a_call_is_refused_has_the_turn_of_the_second(
    world: World,
) -> None:
    hand = Hand(world, 1)
    _run_all(hand, world, world.spec("b"))

    call = [world.spec("b", unique=True), world.spec("a"), world.spec("b")]
    _run_all(hand, world, *call)

    assert world.ledger.begins == {"a": 1, "b": 2}


def _run_all(hand: Hand, world: World, *specs: JobSpec) -> None:
    world.call("a client", steps.enqueue(specs))
    hand.work(len(specs), "answered")
    while hand.held:
        hand.begin()
        hand.end("ok")
    hand.work(0, "answered")
