"""Plays many seeds on all cores, or one with its story: `python -m tests.simulation --help`."""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator

from tests.simulation.season import play_all, search_all
from tests.simulation.stage import Result, stage
from tests.simulation.tally import Tally


def tell(result: Result) -> Iterator[str]:
    """The story of a seed."""
    yield from result.story
    yield f"{result.broken or 'no promise was broken'}"
    yield f"again: {result.command}"


def play(first: int, seeds: int, processes: int) -> bool:
    """Play seeds and print their figures; whether no promise was broken."""
    began = time.monotonic()
    tally, broken = Tally(), 0
    for some, failed in play_all(first, seeds, processes):
        tally += some
        broken += len(failed)
        for result in failed:
            print(*tell(result), "", sep="\n", flush=True)
    seconds = time.monotonic() - began
    print("seeds")
    print(*tally.lines(), sep="\n")
    print(f"{'broken':>14} {broken:>12,}")
    print(f"{'seconds':>14} {seconds:>12,.1f}   {seeds / seconds * 60:,.0f} seeds a minute")
    return not broken


def search(processes: int) -> bool:
    """Search every way and print how many there are; whether no promise was broken."""
    print("every interleaving of two workers and one job")
    print(f"{'interleavings':>14} {'moments':>9} {'runs':>7} {'calls':>9} {'seconds':>8}  faults")
    sound = True
    for limits, found in search_all(processes):
        faults = ", ".join(f"{name}={most}" for name, most in limits._asdict().items() if most)
        numbers = f"{found.interleavings:>14,} {found.states:>9,} {found.runs:>7,}"
        print(f"{numbers} {found.calls:>9,} {found.seconds:>8.1f}  {faults}", flush=True)
        if found.broken:
            sound = False
            print(*found.story, found.broken, sep="\n", flush=True)
    return sound


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=4000, help="how many (default: 4000)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: 1)")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, help="play this one alone, and tell its story")
    parser.add_argument("--without", default="", help="leave these out of it, such as c17,d3")
    parser.add_argument("--no-search", action="store_true", help="play seeds only")
    asked = parser.parse_args()
    if asked.seed is not None:
        without = frozenset(filter(None, asked.without.split(",")))
        with stage() as plays:
            result = plays.play(asked.seed, without)
        print(*tell(result), sep="\n")
        return int(result.broken is not None)
    sound = asked.no_search or search(asked.processes)
    sound = play(asked.first, asked.seeds, asked.processes) and sound
    return int(not sound)


if __name__ == "__main__":
    sys.exit(main())
