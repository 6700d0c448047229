"""Many seeds, on all cores."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from tests.simulation.exhaustive import Found, Search
from tests.simulation.scene import Limits
from tests.simulation.stage import Result, stage
from tests.simulation.tally import Tally

SHOWN: Final = 2  # broken seeds of a stretch that are shortened
STRETCH: Final = 200  # seeds

#: How often each fault may happen in the ways that are searched.
SEARCHES: Final = (
    Limits(kills=2),
    Limits(kills=2, deliveries=1),
    Limits(kills=1, losses=1),
    Limits(kills=1, copies=1),
    Limits(losses=1, copies=1),
    Limits(cancels=1, kills=1),
    Limits(cancels=1, losses=1),
    Limits(machines=1, kills=1),
    Limits(passes=1),
)


class Share(NamedTuple):
    """What a process plays at a stretch: the seeds from `first` on, below `end`."""

    first: int
    end: int


def play_share(share: Share) -> tuple[Tally, list[Result]]:
    """Play seeds; gives the sum, and the broken ones, the first of them shortened."""
    tally = Tally()
    broken: list[Result] = []
    with stage() as plays:
        for seed in range(*share):
            result = plays.play(seed)
            tally += result.tally
            if result.broken:
                broken.append(plays.shorten(result) if len(broken) < SHOWN else result)
    return tally, broken


def play_all(first: int, seeds: int, processes: int) -> Iterator[tuple[Tally, list[Result]]]:
    """Play seeds in so many processes; gives what each stretch of them came to."""
    starts = range(first, first + seeds, STRETCH)
    shares = [Share(start, min(start + STRETCH, first + seeds)) for start in starts]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(play_share, shares)


def search(limits: Limits) -> tuple[Limits, Found]:
    """Search every way within these limits."""
    with stage() as plays:
        return limits, Search(plays.source, limits).run()


def search_all(processes: int) -> Iterator[tuple[Limits, Found]]:
    """Search within each of `SEARCHES`, in so many processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(search, SEARCHES)
