"""Where plays are given: a server of its own, a clock, and the seeds one after the other."""

import logging
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from tests.model.virtual import Change, VirtualRedis, VirtualTime
from tests.model.world import install
from tests.simulation.plan import Plan
from tests.simulation.play import Play
from tests.simulation.tally import Tally

from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer
from msgqueue.settings import Settings
from msgqueue.worker import calls

SHORTEN_FOR: Final = 10.0  # seconds at most
#: The model lets all go at once: under this change the promises alone are judged.
ONE_BY_ONE: Final = Change("parts/dependents.lua", "DEPENDENTS = 100", "DEPENDENTS = 1")


class Result(NamedTuple):
    """What came of a seed.

    Attributes:
        seed, without: what was played: see `Plan`.
        tally: its figures.
        broken: what promise was broken; None for none.
        story: what happened, a line each.
        misfortunes: names of all that went wrong.
    """

    seed: int
    without: frozenset[str]
    tally: Tally
    broken: str | None
    story: list[str]
    misfortunes: list[str]

    @property
    def command(self) -> str:
        """What plays it again, and tells its story."""
        without = f" --without {','.join(sorted(self.without))}" if self.without else ""
        return f"python -m tests.simulation --seed {self.seed}{without}"


class Stage:
    """Plays seeds on an empty database.

    Args:
        source: of a database that it may empty.
    """

    def __init__(self, source: Source) -> None:
        self.source, self._time = source, VirtualTime()

    def play(
        self,
        seed: int,
        without: frozenset[str] = frozenset(),
        changes: Sequence[Change] = (),
        weaken: Callable[[pytest.MonkeyPatch], None] | None = None,
    ) -> Result:
        """Play one seed.

        Args:
            seed, without: see `Plan`.
            changes: rules of the scripts that are left out; then only the promises are judged.
            weaken: switches a rule of the workers off.
        """
        self._time.reset()
        self.source.client().flushdb()
        plan = Plan(seed, without)
        if plan.slow_handover:
            changes = (ONE_BY_ONE, *changes)
        redis = VirtualRedis(self.source, self._time, changes)
        plain = not (changes or weaken or plan.plain_workers)
        with pytest.MonkeyPatch.context() as patch:
            install(patch, self._time)
            pauses = random.Random(seed)  # whoever was cut off comes back at its own moment
            patch.setattr(calls, "spread", lambda pause: pauses.uniform(0.5, 1.0) * pause)
            if weaken is not None:
                weaken(patch)
            play = Play(redis, plan, seed, foretelling=plain)
            broken = None
            try:
                play.play()
            except AssertionError as error:
                broken = str(error)
        redis.close()
        return Result(seed, without, play.tally, broken, play.story, play.misfortunes)

    def shorten(self, result: Result, changes: Sequence[Change] = ()) -> Result:
        """Leave out of a broken seed whatever it does not need to break; `changes`: see `play`."""
        size, until = max(1, len(result.misfortunes) // 2), time.monotonic() + SHORTEN_FOR
        while time.monotonic() < until:
            shorter = False
            for at in range(0, len(result.misfortunes), size):
                some = result.misfortunes[at : at + size]
                found = self.play(result.seed, result.without | frozenset(some), changes)
                if found.broken and len(found.misfortunes) < len(result.misfortunes):
                    result, shorter = found, True
                    break
            if not shorter and size == 1:
                break
            if not shorter:
                size = max(1, size // 2)
        return result


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage with an embedded server of its own."""
    logging.disable(logging.CRITICAL)  # workers tell of each misfortune
    home = Path(tempfile.mkdtemp(prefix="mq-"))
    server = EmbeddedServer(Settings(home=home / "home"))
    server.ensure()
    source = Source(server.url)
    try:
        yield Stage(source)
    finally:
        source.close()
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
        logging.disable(logging.NOTSET)
