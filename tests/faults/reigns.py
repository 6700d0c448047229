"""Who was primary from when to when, and what each took in that its successor never had.

The servers tell it themselves: each primary gives a name to what it writes and counts its bytes,
and knows up to which byte it has what the primary before it wrote.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import redis
from tests.faults.ledger import Books, Lapse
from tests.faults.servers import Server
from tests.patience import wait_until

PACE: Final = 0.02  # seconds between two looks at a server
WITHIN: Final = 30.0  # seconds that a primary may wait for its first replica


@dataclass(slots=True)
class Count:
    """Bytes that a primary had written: when it first said so, and when it was last asked."""

    written: int
    seen: float
    asked: float


@dataclass
class Reign:
    """One server as primary.

    Attributes:
        name: of what it writes: a replication id.
        former: the name of what it has from the primary before it.
        begins: up to which byte it has that.
        counts: of what it had written whenever that was more.
        serves: whether it has the replicas that `min-replicas-to-write` asks for, and takes writes.
        ended: when it was seen to be primary no more; None while it is.
    """

    name: str
    former: str
    begins: int
    counts: list[Count]
    serves: bool = False
    ended: float | None = None

    def note(self, told: Mapping[str, Any], asked: float, seen: float) -> None:
        """What it said when it was asked."""
        written, served = told["master_repl_offset"], self.serves
        self.serves = told["min_slaves_good_slaves"] > 0
        last = self.counts[-1]
        if written > last.written and (served or self.serves):
            self.counts.append(Count(written, seen, asked))
        else:  # what Sentinels publish on it is no write
            last.written, last.asked = written, asked
        self.ended = None

    def taken_in_after(self, kept: int) -> Iterator[Lapse]:
        """When it took in what lies behind so many bytes."""
        for before, after in pairwise(self.counts):
            if after.written > kept:
                yield Lapse(before.asked, after.seen)
        if self.ended is not None and self.serves:
            yield Lapse(self.counts[-1].asked, self.ended)


class Reigns:
    """Looks at servers, of which one is primary, all the time until it is closed.

    Args:
        servers: which.
        books: are told of each switch to another one, and what it made Redis forget.
    """

    def __init__(self, servers: Iterable[Server], books: Books) -> None:
        self._books = books
        self._all: dict[str, Reign] = {}  # by name, as they were seen to begin
        self._closed = threading.Event()
        for server in servers:  # a thread each: one that stands still keeps none from the others
            threading.Thread(target=self._watch, args=(server,), daemon=True).start()
        wait_until(lambda: self._all)
        books.seen = self.forgotten

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def until_served(self) -> Reign:
        """Wait until the last one takes writes."""
        wait_until(lambda: self.last.serves, WITHIN)
        return self.last

    @property
    def last(self) -> Reign:
        """Whose data will stay: nobody has been made primary with them since."""
        reigns = self._seen()
        heirs = {reign.former for reign in reigns}
        leaves = [reign for reign in reigns if reign.name not in heirs]
        return ([reign for reign in leaves if reign.ended is None] or leaves)[-1]

    def forgotten(self) -> list[Lapse]:
        """When was taken in what the last one does not have."""
        reigns, kept = {reign.name: reign for reign in self._seen()}, {}
        heir = last = self.last
        while heir is not next(iter(reigns.values())):
            if heir.former not in reigns:
                return []  # it was not seen yet
            kept[heir.former] = heir.begins
            heir = reigns[heir.former]
        tails = [
            lapse
            for reign in reigns.values()
            if reign is not last
            for lapse in reign.taken_in_after(kept.get(reign.name, reign.begins))
        ]
        return list(_merged(tails))

    def _seen(self) -> list[Reign]:
        return list(self._all.values())

    def _watch(self, server: Server) -> None:
        reign, before = None, time.monotonic()
        with server.client() as client:
            while not self._closed.wait(PACE):
                asked = time.monotonic()
                told = _ask(client)
                seen = time.monotonic()
                name = told["master_replid"] if told["role"] == "master" else None
                if reign is not None and reign.name != name:
                    reign.ended, reign = seen, None
                if name is not None:
                    reign = self._all.get(name) or self._begin(told, before)
                    reign.note(told, asked, seen)
                before = asked

    def _begin(self, told: Mapping[str, Any], before: float) -> Reign:
        """One that has not been seen yet; it was not there `before`."""
        begins = told["second_repl_offset"] - 1  # Redis names the first byte that is not of it
        former, name = told["master_replid2"], told["master_replid"]
        if not self._all:
            begins = told["master_repl_offset"]
        reign = Reign(name, former, begins, [Count(begins, before, before)])
        if self._all:
            self._books.strike("switched")
        self._all[name] = reign
        return reign


def _ask(client: redis.Redis) -> Mapping[str, Any]:
    try:
        told: Mapping[str, Any] = client.info("replication")
    except redis.RedisError:
        return {"role": "away"}
    return told


def _merged(lapses: Iterable[Lapse]) -> Iterator[Lapse]:
    """The same times, without those that overlap."""
    last: Lapse | None = None
    for lapse in sorted(lapses, key=lambda one: one.since):
        if last is not None and lapse.since <= last.until:
            last = Lapse(last.since, max(last.until, lapse.until))
            continue
        if last is not None:
            yield last
        last = lapse
    if last is not None:
        yield last
