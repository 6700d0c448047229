"""One child process as its supervisor has it: started, woken, killed, and its account settled."""

import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.context import ForkProcess, SpawnContext, SpawnProcess
from typing import Any

from msgqueue.queue import TaskQueue
from msgqueue.store.messages import Beat, Cause, Ended, Entry, Lane, Worker
from msgqueue.worker import child_main, doorbell
from msgqueue.worker.account import JournalReader, Record
from msgqueue.worker.child_jobs import ChildJobs
from msgqueue.worker.exits import Death, Exit, exit_of
from msgqueue.worker.hygiene import UNCLEAN
from msgqueue.worker.identity import Identity
from msgqueue.worker.journal import Journal, State
from msgqueue.worker.outfit import Outfit
from msgqueue.worker.pace import MOST
from msgqueue.worker.reference import Recipe
from msgqueue.worker.shared import Context, clock
from msgqueue.worker.terms import Terms

logger = logging.getLogger(__name__)


class ChildProcess:
    """One child, from its start until its account is settled.

    Attributes:
        lane: its lane and rq worker name.
        bell: wakes it, and hears whether it is idle.
        jobs: what it has been handed.
        exit: how it ended, once it has.
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
        self.born = clock()
        self._killed_for: dict[str, tuple[Cause, str]] = {}
        self._killed = False
        self._journal = Journal(context, terms.concurrency + 3 * MOST)
        self._reader = JournalReader(self._journal)
        self.jobs = ChildJobs(self._reader)
        self._wake, their_wake = context.Pipe()
        self.bell = doorbell.Bell(self._wake)
        their_lifeline, self._lifeline = context.Pipe(duplex=False)
        outfit = Outfit(self.lane, terms, self._journal, their_wake, their_lifeline, deaths)
        self._process = self._process_of(context, queue, outfit, forget)
        self._process.start()
        their_wake.close()
        their_lifeline.close()

    def _process_of(
        self,
        context: Context,
        queue: TaskQueue,
        outfit: Outfit,
        forget: Callable[[], None],
    ) -> ForkProcess | SpawnProcess:
        if isinstance(context, SpawnContext):  # nothing to forget: it inherits nothing
            args = (outfit, Recipe.of(queue))
            return context.Process(target=child_main.main_spawned, args=args, name=self.lane.worker)
        forgetting = self._forgetting(forget)
        return context.Process(
            target=child_main.main, args=(outfit, queue, forgetting), name=self.lane.worker
        )

    def _forgetting(self, forget: Callable[[], None]) -> Callable[[], None]:
        def close() -> None:
            forget()
            self._close_pipes()

        return close

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

    def wake(self) -> None:
        """There may be work."""
        if not self.bell.ring():
            logger.debug("child %s cannot be woken: it has ended", self.pid)

    @property
    def at_rest(self) -> bool:
        """Whether it waits to be woken, and has no job on its hands."""
        return self.bell.idle and not self.jobs.account().records

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
        return self.jobs.revoke()

    def kill(self, record: Record, cause: Cause, reason: str, *others: Record) -> bool:
        """End the process for the sake of one running job; False when that has ended meanwhile.

        Args:
            record: the job.
            cause: why.
            reason: what is told of it.
            others: further ones that may be to blame as well.
        """
        if self._killed:
            return True
        if not self.jobs.freeze(record):
            return False
        self._killed_for = {one.member: (cause, reason) for one in (record, *others)}
        self.end()
        return True

    def kill_running(self) -> None:
        """Kill the process under its job, as rq's kill-horse does: a death of its process."""
        run = self.jobs.account().sync_run
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
        return [self._judge(record, now) for record in self.jobs.account().running]

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
        return self.exit is not None and self.exit.code == UNCLEAN and self.jobs.account().draining

    def beat(self) -> tuple[Beat, list[Record]]:
        """Its part of the supervisor's beat, and the records that it names."""
        account = self.jobs.account()
        named = account.of(State.HELD, State.RUNNING, State.ENDED, State.STOPPING)
        running = account.running
        entries = {r.member: r.entry for r in named} | self.jobs.returning
        beat = Beat(
            self.lane,
            self.shown,
            account.answered,
            tuple(entries.values()),
            self.jobs.long_runs(),
            running[0].entry.id if running else "",
            account.successful,
            account.failed,
            account.working_time,
        )
        return beat, named

    def close(self) -> None:
        """It is settled: give back all that it had."""
        self.forget()
        self._process.close()

    def forget(self) -> None:
        """Give back its memory and pipes: in a process that was forked beside it, too."""
        self._close_pipes()
        self._journal.close()

    def _close_pipes(self) -> None:
        """Close this process's ends."""
        self._wake.close()
        self._lifeline.close()
