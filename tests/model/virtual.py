"""The real scripts on a real server, under a clock that a test moves."""

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import redis

from msgqueue.connection import Source
from msgqueue.store import script as scripts
from msgqueue.store.codec import unix_text
from msgqueue.store.link import Link
from msgqueue.store.messages import Arg
from msgqueue.store.script import Script
from msgqueue.store.steps import Step

R = TypeVar("R")

LUA: Final = Path(__file__).parent / "lua"
#: Earlier deadlines were set by the server's own clock.
EARLIEST: Final = 3_000_000_000_000
TIMED: Final = b"table.remove(ARGV)"
START: Final = 4_000_000_000  # Unix seconds, so far ahead that no server's own clock is there


class Change(NamedTuple):
    """A rule of a script switched off: in the file `path`, `old` becomes `new`."""

    path: str
    old: str
    new: str


@cache
def virtual_script(name: str, changes: tuple[Change, ...] = ()) -> Script:
    """A script of the product with the clock of the tests, and without some of its rules."""

    def read(path: str) -> str:
        text = (LUA / "clock.lua").read_text() if path == "parts/clock.lua" else scripts.read(path)
        for change in changes:
            if change.path == path:
                if change.old not in text:
                    raise LookupError(f"{path} has no {change.old!r}: the rule is kept otherwise")
                text = text.replace(change.old, change.new)
        return text

    return scripts.assemble(name, read)


def _own(name: str) -> Script:
    text = (LUA / f"{name}.lua").read_bytes()
    return Script(name, text, sha1(text, usedforsecurity=False).hexdigest().encode())


def plain_step(name: str, do: Callable[[redis.Redis], R]) -> Step[R]:
    """What others do with plain commands, in one transaction, as a step without a script."""
    return Step(Script(name, b"", b""), (), (), do)


SAVE, RESTORE, ADVANCE, SNAPSHOT = map(_own, ("save", "restore", "advance", "snapshot"))


class VirtualTime:
    """What clocks tell, in milliseconds: one that only goes on, and Redis's, which may jump."""

    def __init__(self) -> None:
        self.passed = self.skew = 0

    def reset(self) -> None:
        """Begin anew."""
        self.passed = self.skew = 0

    def clock(self) -> float:
        """What processes measure durations with."""
        return self.passed / 1000

    def wall(self) -> float:
        """Unix seconds on the machines of the processes."""
        return START + self.passed / 1000

    @property
    def redis_ms(self) -> int:
        """Unix milliseconds on the machine of Redis."""
        return START * 1000 + self.passed + self.skew

    @property
    def text(self) -> str:
        """The wall time as rq writes it."""
        return unix_text(self.wall())


class VirtualRedis:
    """Executes steps at once, at the time that the test has set.

    Args:
        source: an empty database.
        time: the clocks.
        changes: rules to leave out.
    """

    def __init__(self, source: Source, time: VirtualTime, changes: Sequence[Change] = ()) -> None:
        self._link, self.plain = Link(source), source.client()
        self.time, self._changes = time, tuple(changes)
        self.tick()

    def run(self, step: Step[R]) -> R:
        """Execute a step."""
        if not step.script.text:
            return self.by_hand(step.decode)
        mine = virtual_script(step.script.name, self._changes)
        args = (*step.args, self.time.redis_ms) if TIMED in mine.text else step.args
        return self._link.call(Step(mine, step.keys, args, step.decode))

    def tick(self) -> int:
        """Let expire what the time has passed; how many keys."""
        gone: int = self._call(ADVANCE, self.time.redis_ms, EARLIEST)
        return gone

    def by_hand(self, command: Callable[[redis.Redis], R]) -> R:
        """Something that others do, with plain commands."""
        answer = command(self.plain)
        self.tick()  # it may have set deadlines by the server's own clock
        return answer

    def save(self) -> list[Any]:
        """All that the database holds, for `restore`."""
        saved: list[Any] = self._call(SAVE)
        return saved

    def restore(self, saved: list[Any]) -> None:
        """What was written since is lost, as in a failover."""
        self._call(RESTORE, *(field for key in saved for field in key))
        self.tick()

    def snapshot(self) -> list[Any]:
        """Every key: name, type, deadline, content."""
        keys: list[Any] = self._call(SNAPSHOT)
        return keys

    def close(self) -> None:
        """Drop the connection."""
        self._link.close()

    def _call(self, script: Script, *args: Arg) -> Any:
        return self._link.call(Step(script, (), args, lambda raw: raw))
