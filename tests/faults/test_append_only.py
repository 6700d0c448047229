"""What a cut of the append-only file takes away is told by its own words, step by step."""

from tests.faults.conftest import OwnRedis, Trials
from tests.faults.servers import ALWAYS


def test_a_cut_takes_away_the_steps_that_do_not_end_before_it_and_no_others(
    trials: Trials, own_redis: OwnRedis
) -> None:
    server = own_redis(*ALWAYS)
    trial = trials(server.url)
    ends = []
    for key in ("first", "second", "third"):
        trial.enqueue("work", key)
        ends.append(server.written)
    server.end()

    assert server.forget(ends[2]) == frozenset()
    assert server.forget(ends[2] - 1) == {"third"}
    assert server.forget(ends[0]) == {"second"}

    server.start()
    kept = server.client().keys("rq:job:*")
    assert kept == ["rq:job:first"]
