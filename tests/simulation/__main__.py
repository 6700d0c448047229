"""Plays many seeds on all cores, or one with its story: `python -m tests.simulation --help`."""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator

from tests.simulation.season import SHOWN, play_all
from tests.simulation.stage import Result, stage


def tell(result: Result) -> Iterator[str]:
    """The story of a seed."""
    yield from result.story
    yield f"{result.broken or 'no promise was broken'}"
    yield f"again: {result.command}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=4000, help="how many (default: 4000)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: 1)")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, help="play this one alone, and tell its story")
    parser.add_argument("--without", default="", help="leave these out of it, such as c17,d3")
    asked = parser.parse_args()
    if asked.seed is not None:
        without = frozenset(filter(None, asked.without.split(",")))
        with stage() as plays:
            result = plays.play(asked.seed, without)
        print(*tell(result), sep="\n")
        return int(result.broken is not None)
    began = time.monotonic()
    tally, broken = play_all(asked.first, asked.seeds, asked.processes)
    seconds = time.monotonic() - began
    for result in broken[:SHOWN]:
        print(*tell(result), "", sep="\n")
    for result in broken[SHOWN:]:
        print(f"{result.broken}\nagain: {result.command}")
    print(*tally.lines(), sep="\n")
    print(f"{'broken':>12} {len(broken):>10,}")
    print(f"{'seconds':>12} {seconds:>10,.1f}   ({asked.seeds / seconds * 60:,.0f} seeds a minute)")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
