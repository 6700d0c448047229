"""One child process as its supervisor has it: started, woken, killed, and its account settled."""

import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from multiprocessing.context import ForkProcess, SpawnContext, SpawnProcess
from typing import Any, Final, Literal

from msgqueue.jobs import Outcome
from msgqueue.queue import TaskQueue
from msgqueue.store.messages import Beat, Ended, Entry, Lane, Worker
from msgqueue.worker import child, doorbell
from msgqueue.worker.account import Account, JournalReader, Record
from msgqueue.worker.exits import Death, Exit, exit_of
from msgqueue.worker.hygiene import UNCLEAN
from msgqueue.worker.identity import Identity
from msgqueue.worker.journal import SYNC, Journal, State
from msgqueue.worker.pace import MOST
from msgqueue.worker.reference import Recipe
from msgqueue.worker.shared import Context, clock
from msgqueue.worker.terms import Terms

Cause = Literal["death", "timeout", "memory", "stop", "drain"]
LONG: Final = 0.2  # seconds after which a run is shown as rq shows its executions

logger = logging.getLogger(__name__)


class ChildProcess:
    """One child, from its start until its account is settled.

    Attributes:
        lane: its lane and rq worker name.
        bell: wakes it, and hears whether it is idle.
        exit: how it ended, once it has.
        returning: entries taken back from it whose release is not answered yet, by member.
        retired: whether it was asked to end, so that its end is no crash.
    """

    def __init__(
        self,
        context: Context,
        queue: TaskQueue,
        identity: Identity,
        terms: Terms,
        *,
        deaths: Sequence[Death],
        forget: Callable[[], None],
    ) -> None:
        lane_id = secrets.token_hex(6)
        self.lane = Lane(lane_id, identity.worker_name(lane_id))
        self._identity, self._terms = identity, terms
        self.retired = False
        self.exit: Exit | None = None
        self.returning: dict[str, Entry] = {}
        self.born = clock()
        self._reporting: set[str] = set()
        self._killed_for: dict[str, tuple[Cause, str]] = {}
        self._killed = False
        self._journal = Journal(context, terms.concurrency + 3 * MOST)
        self._reader = JournalReader(self._journal)
        self._wake, their_wake = context.Pipe()
        self.bell = doorbell.Bell(self._wake)
        their_lifeline, self._lifeline = context.Pipe(duplex=False)
        outfit = child.Outfit(self.lane, terms, self._journal, their_wake, their_lifeline, deaths)
        self._process = self._process_of(context, queue, outfit, forget)
        self._process.start()
        their_wake.close()
        their_lifeline.close()

    def _process_of(
        self,
        context: Context,
        queue: TaskQueue,
        outfit: child.Outfit,
        forget: Callable[[], None],
    ) -> ForkProcess | SpawnProcess:
        if isinstance(context, SpawnContext):  # nothing to forget: it inherits nothing
            args = (outfit, Recipe.of(queue))
            return context.Process(target=child.main_spawned, args=args, name=self.lane.worker)
        forgetting = self._forgetting(forget)
        return context.Process(
            target=child.main, args=(outfit, queue, forgetting), name=self.lane.worker
        )

    def _forgetting(self, forget: Callable[[], None]) -> Callable[[], None]:
        def close() -> None:
            forget()
            self.close_pipes()

        return close

    def fileno(self) -> int:
        """Readable when the child says that it is idle."""
        return self._wake.fileno()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid or 0

    @property
    def shown(self) -> Worker:
        """What rq shows of it."""
        return self._identity.shown(self.pid, self._terms)

    @property
    def lets_end(self) -> bool:
        """Whether a run that rq cancels or deletes goes on to its end."""
        return self._terms.lets_end

    def account(self) -> Account:
        """What its journal says."""
        return self._reader.read()

    def outcome(self, record: Record) -> Outcome:
        """The outcome of an ended job in its journal."""
        return self._reader.outcome(record)

    def wake(self) -> None:
        """There may be work."""
        if not self.bell.ring():
            logger.debug("child %s cannot be woken: it has ended", self.pid)

    @property
    def on_lookout(self) -> bool:
        """Whether it is to hear of work from Redis itself, when it rests."""
        return self._reader.on_lookout

    @property
    def listening(self) -> bool:
        """Whether it does, right now."""
        return self._reader.listening

    def post(self, lookout: bool) -> None:
        """Put it on lookout: wake it, so that it listens; or off it."""
        self._reader.post(lookout)
        if lookout:
            self.wake()

    def drain(self) -> list[Entry]:
        """Ask it to begin nothing more and to end; gives what it held."""
        self.retired = True
        self._reader.drain()
        self.wake()
        return self.revoke()

    def revoke(self, only: Iterable[str] | None = None) -> list[Entry]:
        """Take held jobs back, all or only some members, unless they began; they are `returning`.

        Nothing, where the child is just beginning one: try again a moment later.
        """
        wanted = None if only is None else frozenset(only)
        held = [r for r in self.account().of(State.HELD) if wanted is None or r.member in wanted]
        if not held or not self._reader.lock():
            return []
        try:
            entries = [r.entry for r in self._reader.move(held, State.HELD, State.REVOKED)]
        finally:
            self._reader.unlock()
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
        if self._reader.lock():
            self._reader.move(records, State.ENDED, State.REPORTED)
            self._reader.unlock()

    def confirm(self, records: Iterable[Record], limit: float) -> None:
        """A beat renewed these leases: the held ones may begin until `limit`."""
        self._reader.extend(records, limit)

    def stop_coroutine(self, record: Record) -> None:
        """Ask the async lane to cancel a running coroutine."""
        if self._reader.lock():
            self._reader.move((record,), State.RUNNING, State.STOPPING)
            self._reader.unlock()

    def kill(self, record: Record, cause: Cause, reason: str, *others: Record) -> bool:
        """End the process for the sake of one running job; False when that has ended meanwhile.

        The lock is kept, so that nothing else begins on the way.

        Args:
            record: the job.
            cause: why.
            reason: what is told of it.
            others: further ones that may be to blame as well.
        """
        if self._killed:
            return True
        locked = self._reader.lock()
        now = {r.member for r in self.account().of(State.RUNNING, State.STOPPING)}
        if record.member not in now:
            if locked:
                self._reader.unlock()
            return False
        self._killed_for = {one.member: (cause, reason) for one in (record, *others)}
        self.end()
        return True

    def kill_running(self) -> None:
        """Kill the process under its job, as rq's kill-horse does: a death of its process."""
        run = sync_run(self.account())
        if run is not None:
            self.kill(run, "death", "WorkerDied: rq's kill-horse command ended the process")

    def end(self) -> None:
        """Kill the process, and what its job has started; what runs is not to blame."""
        self._killed = self.retired = True
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def reap(self) -> bool:
        """Look whether it has ended."""
        if self.exit is None and self.pid:
            self.exit = exit_of(self.pid)
            if self.exit is not None:
                # multiprocessing must not wait for it a second time
                popen: Any = getattr(self._process, "_popen")  # noqa: B009 - typeshed has no such name
                popen.returncode = self.exit.code
        return self.exit is not None

    def suspect_kernel(self) -> None:
        """The kernel was killing for want of memory when this process ended."""
        if self.exit is not None and self.exit.code == -signal.SIGKILL and not self._killed:
            self.exit = replace(self.exit, by_kernel=True)

    def judged(self) -> list[Ended]:
        """The runs that died with the process, each with its cause."""
        now = time.time()
        records = self.account().of(State.RUNNING, State.STOPPING)
        return [self._judge(record, now) for record in records]

    def _judge(self, record: Record, now: float) -> Ended:
        took = f"{now - record.started:.1f} s after it began"
        if record.member in self._killed_for:
            cause, why = self._killed_for[record.member]
            reason = f"{why}{self.exit.memory if self.exit else ''}, {took}"
        else:
            cause = "drain" if self._killed or self._ended_unclean else "death"
            reason = f"WorkerDied: the process was {self.exit} while it ran this job, {took}"
        return Ended(*record.entry, cause, reason, record.started, now)

    @property
    def _ended_unclean(self) -> bool:
        """Whether it ended itself after a job that had ended: what ran beside is not to blame."""
        return self.exit is not None and self.exit.code == UNCLEAN and self.account().draining

    def beat(self) -> tuple[Beat, list[Record]]:
        """Its part of the supervisor's beat, and the records that it names."""
        account = self.account()
        named = account.of(State.HELD, State.RUNNING, State.ENDED, State.STOPPING)
        running = [r for r in named if r.state in (State.RUNNING, State.STOPPING)]
        entries = {r.member: r.entry for r in named} | self.returning
        beat = Beat(
            self.lane,
            self.shown,
            account.answered,
            tuple(entries.values()),
            self.long_runs(),
            running[0].entry.id if running else "",
            account.successful,
            account.failed,
            account.working_time,
        )
        return beat, named

    def long_runs(self) -> frozenset[str]:
        """The members of what has run for long enough to be shown."""
        running = self.account().of(State.RUNNING, State.STOPPING)
        since = clock() - LONG
        return frozenset(record.member for record in running if record.begun < since)

    def close(self) -> None:
        """It is settled: give back all that it had."""
        self.forget()
        self._process.close()

    def forget(self) -> None:
        """Give back its memory and pipes: in a process that was forked beside it, too."""
        self.close_pipes()
        self._journal.close()

    def close_pipes(self) -> None:
        """Close this process's ends."""
        self._wake.close()
        self._lifeline.close()


def sync_run(account: Account) -> Record | None:
    """What the sync lane runs."""
    return next((r for r in account.of(State.RUNNING) if r.lane == SYNC), None)
