"""Every way in which two workers and one job may go on, one after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from tests.model.virtual import Change, VirtualRedis, VirtualTime
from tests.model.world import install
from tests.simulation.scene import Limits, Scene

from msgqueue.connection import Source


@dataclass
class Found:
    """What a search came to.

    Attributes:
        interleavings: how many ways there are from the beginning to the end.
        states: in how many different moments they meet.
        runs: how many were played, from their beginning, to see all of them.
        calls: that Redis carried out for that.
        seconds: that it took.
        broken: the first promise that was broken; empty for none.
        story: of that run.
    """

    interleavings: int = 0
    states: int = 0
    runs: int = 0
    calls: int = 0
    seconds: float = 0.0
    broken: str = ""
    story: list[str] = field(default_factory=list)


class Search:
    """Goes every way within the limits; from where two ways meet, one is followed.

    Args:
        source: of a database that it may empty.
        limits: how often each fault may happen.
        changes: rules of the scripts that are left out; then only the promises are judged.
    """

    def __init__(self, source: Source, limits: Limits, changes: Sequence[Change] = ()) -> None:
        self._source, self._limits, self._plain = source, limits, not changes
        self._time, self._patch = VirtualTime(), pytest.MonkeyPatch()
        self._redis = VirtualRedis(source, self._time, changes)
        self._ways: dict[str, int] = {}  # by the key of a moment: how many ways lead on from it
        self._found = Found()
        self._scene: Scene

    def run(self) -> Found:
        """Search until all is seen, or a promise is broken."""
        began = time.monotonic()
        try:
            self._found.interleavings = self._follow(self._replay(()), ())
        except AssertionError as error:
            self._found.broken, self._found.story = str(error), self._scene.story
        finally:
            self._found.calls += self._scene.wire.count
            self._patch.undo()
            self._redis.close()
        self._found.states = len(self._ways)
        self._found.seconds = time.monotonic() - began
        return self._found

    def _follow(self, scene: Scene, path: tuple[int, ...]) -> int:
        """How many ways lead on from here; `path`: the choices that led here."""
        key = scene.key
        if key in self._ways:
            return self._ways[key]
        choices, ways = scene.choices(), 0
        for number, choice in enumerate(choices):
            if number == 0:
                here, chosen = scene, choice
            else:
                here = self._replay(path)
                chosen = here.choices()[number]
            here.choose(chosen)
            ways += self._follow(here, (*path, number))
        if not choices:
            scene.finish()
            ways = 1
        self._ways[key] = ways
        return ways

    def _replay(self, path: tuple[int, ...]) -> Scene:
        if self._found.runs:
            self._found.calls += self._scene.wire.count
        self._found.runs += 1
        self._patch.undo()
        install(self._patch, self._time)  # which numbers lanes from 1 on
        self._time.reset()
        self._source.client().flushdb()
        self._scene = Scene(self._redis, self._limits, foretelling=self._plain)
        for number in path:
            self._scene.choose(self._scene.choices()[number])
        return self._scene
