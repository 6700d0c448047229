"""Many seeds, on all cores."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from tests.simulation.stage import Result, stage
from tests.simulation.tally import Tally

SHOWN: Final = 3  # broken seeds of a process that are shortened


class Share(NamedTuple):
    """What one process plays: every `step`-th seed from `first` on, below `end`."""

    first: int
    end: int
    step: int


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


def play_all(first: int, seeds: int, processes: int) -> tuple[Tally, list[Result]]:
    """Play seeds in so many processes."""
    shares = [Share(first + n, first + seeds, processes) for n in range(processes)]
    tally = Tally()
    broken: list[Result] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for some, failed in pool.map(play_share, shares):
            tally += some
            broken += failed
    return tally, broken
