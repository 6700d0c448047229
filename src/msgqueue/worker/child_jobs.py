"""The jobs of one child as its supervisor minds them: read, taken back, reported in its stead."""

import time
from collections.abc import Iterable
from typing import Final

from msgqueue.jobs import Outcome
from msgqueue.store.messages import Entry
from msgqueue.worker.account import Account, JournalReader, Record
from msgqueue.worker.journal import State
from msgqueue.worker.shared import clock

LONG: Final = 0.2  # seconds after which a run is shown as rq shows its executions


class ChildJobs:
    """What a supervisor does about the jobs of a child, by the journal that both share.

    Args:
        reader: of that journal.

    Attributes:
        returning: entries taken back from the child whose release is not answered yet, by member.
    """

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._reporting: set[str] = set()
        self.returning: dict[str, Entry] = {}

    def account(self) -> Account:
        """What the journal says."""
        return self._reader.read()

    def outcome(self, record: Record) -> Outcome:
        """The outcome of an ended job in the journal."""
        return self._reader.outcome(record)

    def long_runs(self) -> frozenset[str]:
        """The members of what has run for long enough to be shown."""
        since = clock() - LONG
        return frozenset(record.member for record in self.account().running if record.begun < since)

    def revoke(self, only: Iterable[str] | None = None) -> list[Entry]:
        """Take held jobs back, all or only some members, unless they began; they are `returning`.

        Nothing, where the child is just beginning one: try again a moment later.
        """
        wanted = None if only is None else frozenset(only)
        held = [r for r in self.account().of(State.HELD) if wanted is None or r.member in wanted]
        if not held:
            return []
        entries = [record.entry for record in self._reader.move(held, State.HELD, State.REVOKED)]
        self.returning.update((entry.member, entry) for entry in entries)
        return entries

    def returned(self, entries: Iterable[Entry]) -> None:
        """Their release was answered."""
        for entry in entries:
            self.returning.pop(entry.member, None)

    def unreported(self, age: float) -> list[Record]:
        """What ended longer ago than `age` seconds and nobody is reporting: now you are."""
        ended = [r for r in self.account().of(State.ENDED) if r.member not in self._reporting]
        before = time.time() - age
        old = [record for record in ended if self.outcome(record).ended < before]
        self._reporting.update(record.member for record in old)
        return old

    def reported(self, records: Iterable[Record]) -> None:
        """The supervisor has reported these outcomes."""
        records = list(records)
        self._reporting.difference_update(record.member for record in records)
        self._reader.move(records, State.ENDED, State.REPORTED)

    def confirm(self, records: Iterable[Record], limit: float) -> None:
        """A beat renewed these leases: the held ones may begin until `limit`."""
        self._reader.extend(records, limit)

    def stop_coroutine(self, record: Record) -> None:
        """Ask the async lane to cancel a running coroutine."""
        self._reader.move((record,), State.RUNNING, State.STOPPING)

    def freeze(self, record: Record) -> bool:
        """Let nothing begin any more; False where this run has ended meanwhile, and all goes on."""
        locked = self._reader.lock()
        runs = record.member in {one.member for one in self.account().running}
        if locked and not runs:
            self._reader.unlock()
        return runs
