"""In which order a child claims from its queues."""

from collections import Counter

import pytest
from tests.worker.crew import Crew

from msgqueue import ConfigurationError, Supervisor, TaskQueue
from msgqueue.worker.order import Order, Strict, Weighted, order_of, parse


def drain(order: Order, waiting: dict[str, int], claims: int, size: int = 10) -> list[str]:
    """The queues of the jobs that so many claims take, where so many wait in each."""
    taken: list[str] = []
    for _ in range(claims):
        queues, room = order.queues(), size
        came: list[str] = []
        for queue in queues:
            some = min(room, waiting[queue])
            waiting[queue] -= some
            came += [queue] * some
            room -= some
        order.note(queues, came)
        taken += came
    return taken


def test_the_strict_order_never_changes() -> None:
    order = Strict(("high", "low"))
    drain(order, {"high": 1000, "low": 1000}, 5)

    assert order.queues() == ("high", "low")


@pytest.mark.parametrize("size", [1, 7, 64])
def test_each_queue_gets_its_share_by_weight(size: int) -> None:
    order = Weighted({"high": 5, "default": 2, "low": 1})
    taken = drain(order, dict.fromkeys(("high", "default", "low"), 10**6), 800, size)

    share = {queue: count / len(taken) for queue, count in Counter(taken).items()}
    assert share == pytest.approx({"high": 5 / 8, "default": 2 / 8, "low": 1 / 8}, abs=0.02)


def test_a_queue_of_small_weight_is_never_passed_over_for_long() -> None:
    taken = drain(Weighted({"high": 100, "low": 1}), {"high": 10**6, "low": 10**6}, 1000, 1)

    gaps = "".join(queue[0] for queue in taken).split("l")
    assert max(map(len, gaps)) <= 101


def test_what_one_queue_does_not_use_falls_to_the_others() -> None:
    taken = drain(Weighted({"high": 5, "low": 1}), {"high": 0, "low": 100}, 10)

    assert taken == ["low"] * 100


def test_a_queue_that_was_empty_for_long_saves_up_nothing() -> None:
    order = Weighted({"high": 1, "low": 1})
    drain(order, {"high": 0, "low": 10_000}, 1000)

    taken = Counter(drain(order, {"high": 10_000, "low": 10_000}, 20))
    assert taken["low"] >= 90


def test_queues_without_weights_are_in_strict_order() -> None:
    assert isinstance(order_of(("a", "b"), None), Strict)
    assert isinstance(order_of(("a", "b"), (2, 1)), Weighted)


def test_the_command_line_names_queues_with_or_without_weights() -> None:
    assert parse("high, default", ("high", "default")) == ["high", "default"]
    assert parse("high:5,default:1", ("high", "default")) == {"high": 5, "default": 1}
    assert parse("tenant:5", ("tenant:5",)) == ["tenant:5"]


def test_weights_for_some_of_the_queues_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="a weight for each queue, or for none"):
        parse("high:5,default", ("high", "default"))


@pytest.mark.parametrize("weight", [0, -1, 1.5, True])
def test_a_weight_is_a_whole_number_of_one_or_more(weight: int) -> None:
    queue = TaskQueue(queues=("high", "default"))

    with pytest.raises(ConfigurationError, match="give a whole number of 1 or more"):
        Supervisor(queue, queues={"high": weight, "default": 1})


def test_a_child_takes_jobs_of_both_queues_by_their_weights(crew: Crew) -> None:
    for number in range(120):
        crew.enqueue("note", f"high {number}", queue="high")
        crew.enqueue("note", f"default {number}", queue="default")

    crew.start(queues={"high": 3, "default": 1}, claim=4, burst=True).wait(30)

    first = Counter(line.split()[0] for line in crew.noted()[:80])
    assert first["default"] == pytest.approx(20, abs=4)
    assert len(crew.noted()) == 240
