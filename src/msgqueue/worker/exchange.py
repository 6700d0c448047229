"""A child's calls to Redis: report and claim in one round trip."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from msgqueue.errors import RedisError, ValueTooLarge
from msgqueue.jobs import Claimed, Outcome
from msgqueue.observe.faults import fault_point
from msgqueue.observe.logs import event
from msgqueue.store import operations
from msgqueue.store.codec import now_text
from msgqueue.store.link import Link
from msgqueue.store.messages import Lane, Worked
from msgqueue.store.operations import Operation
from msgqueue.store.run import spread
from msgqueue.store.steps import Step, work
from msgqueue.worker.journal import NAMES_ROOM, NO_SLOT, JournalWriter, names_fit
from msgqueue.worker.limits import SupervisorLost
from msgqueue.worker.shared import NEVER, clock

BEGIN_WITHIN: Final = 6.0  # seconds after sending a claim in which its jobs may begin (V)
REPORT_WITHIN: Final = 0.05  # seconds that an outcome waits for its report
PAUSES: Final = (0.05, 2.0)  # seconds between two tries, the first and the longest

logger = logging.getLogger(__name__)


class Held(NamedTuple):
    """A claimed job and its slot in the journal."""

    slot: int
    job: Claimed


class Exchange:
    """Numbers the calls of one lane and never drops one: it is sent again until it is answered.

    The sync lane and the async lane of a child share it; one of them calls at a time.

    Args:
        link: the child's own connection.
        lane: who calls.
        journal: notes calls, held jobs and outcomes.
        persist: sleeps between two tries, for so many seconds; told whether there is anything to
            report, it answers whether to try again: not for ever without a supervisor.
        meanwhile: called while Redis is at work.

    A worker that Redis does not know is registered again by the supervisor's next beat.
    """

    def __init__(
        self,
        link: Link,
        lane: Lane,
        journal: JournalWriter,
        persist: Callable[[float, bool], bool],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self._link, self._lane, self._journal, self._persist = link, lane, journal, persist
        self._meanwhile = meanwhile
        self._seq = 0
        self._calling = threading.Lock()
        self._noting = threading.Lock()
        self._outcomes: list[tuple[int, Outcome]] = []
        self._due = NEVER
        self._successful = self._failed = 0
        self._working_time = 0.0

    def add(self, slot: int, outcome: Outcome, now: float) -> None:
        """Note an outcome; the next call reports it."""
        with self._noting:
            fits = self._journal.end(slot, outcome)
            if not self._outcomes:
                self._due = now + REPORT_WITHIN
            if not fits:
                self._due = now
            self._outcomes.append((slot, outcome))

    def due(self, now: float) -> bool:
        """Whether an outcome must be reported before anything else is begun."""
        return now >= self._due

    @property
    def pending(self) -> bool:
        """Whether an outcome waits for its report."""
        return bool(self._outcomes)

    def call(self, queues: Sequence[str], count: int) -> list[Held]:
        """Report all that ended and claim up to `count` jobs of these queues.

        Raises:
            SupervisorLost: there was no answer and there is no supervisor any more.
        """
        with self._calling:
            owing = self.pending
            until_answered = partial(self._until_answered, owing=owing)
            return operations.drive(self.talk(queues, count), until_answered)

    def talk(self, queues: Sequence[str], count: int) -> Operation[list[Held]]:
        """What `call` does, without I/O: yields its step, takes the answer, returns what came."""
        reported = self._take_outcomes()
        count = min(count, self._journal.room)
        outcomes = [outcome for slot, outcome in reported if not self._journal.reported(slot)]
        self._seq += 1
        self._journal.note_call(self._seq, self._seq - 1)
        fault_point("claim.before")
        sent_at = clock()  # the lease runs from the first try, which may have been carried out
        claimed_at = now_text()
        worked: Worked | ValueTooLarge
        while True:
            worked = yield work(self._lane, self._seq, outcomes, queues, count, claimed_at)
            if isinstance(worked, Worked):
                break
            # Nothing was done: the same call, with one failure.
            outcomes = self._fail_largest(outcomes, worked)
        self._journal.free(slot for slot, _ in reported)
        held = self._hold(worked.claimed, sent_at + BEGIN_WITHIN)
        self._journal.note_call(self._seq, self._seq)
        fault_point("claim.after")
        for member in worked.refused:
            logger.warning("result refused: %s was taken over by another worker", member)
        return held

    def _take_outcomes(self) -> list[tuple[int, Outcome]]:
        with self._noting:
            outcomes, self._outcomes = self._outcomes, []
            self._due = NEVER
            if outcomes:
                self._journal.turn()
        for _, outcome in outcomes:
            if outcome.kind in ("ok", "none", "repeat"):
                self._successful += 1
            elif outcome.kind != "declined":
                self._failed += 1
            self._working_time += outcome.ended - outcome.started
        self._journal.note_counts(self._successful, self._failed, self._working_time)
        return outcomes

    def _fail_largest(self, outcomes: list[Outcome], error: ValueTooLarge) -> list[Outcome]:
        """The outcomes again, where the job with the largest result fails by it."""
        largest = max(outcomes, key=lambda outcome: len(outcome.value))
        told = f"{type(error).__name__}: the result cannot be kept: {error}"
        event(logger, "job failed", level=logging.WARNING, job=largest.id, why=told)
        self._successful -= 1
        self._failed += 1
        self._journal.note_counts(self._successful, self._failed, self._working_time)
        failed = largest._replace(kind="error", value=told.encode())
        return [failed if outcome is largest else outcome for outcome in outcomes]

    def _hold(self, jobs: Sequence[Claimed], limit: float) -> list[Held]:
        fitting = [job for job in jobs if names_fit(job)]
        if len(fitting) < len(jobs):
            for job in jobs:
                if not names_fit(job):
                    self._refuse(job)
        slots = self._journal.hold(fitting, limit)
        return [Held(slot, job) for slot, job in zip(slots, fitting, strict=True)]

    def _refuse(self, job: Claimed) -> None:
        """A job whose names the journal cannot hold fails: run, it could not be answered for."""
        told = f"ValueError: the job's id and queue take more than {NAMES_ROOM} bytes"
        now = time.time()
        outcome = Outcome(job.queue, job.id, job.execution, "error", told.encode(), now, now)
        with self._noting:
            self._outcomes.append((NO_SLOT, outcome))
            self._due = 0.0

    def _until_answered(self, step: Step[Worked], owing: bool) -> Worked | ValueTooLarge:
        pause, longest = PAUSES
        while True:
            try:
                self._link.send(step)
                fault_point("claim.sent")
                self._meanwhile()
                worked = self._link.receive(step)
            except ValueTooLarge as error:
                return error
            except RedisError as error:
                level = logging.WARNING if pause == PAUSES[0] else logging.DEBUG  # once an outage
                logger.log(level, "not reported yet: %s", error)
            else:
                if not worked.state:
                    return worked
                if worked.state != "missing":  # closed: the supervisor settles, or has settled
                    raise SupervisorLost
                self._link.close()  # it may be a primary that was replaced a minute ago
            if not self._persist(spread(pause), owing):
                raise SupervisorLost
            pause = min(pause * 2, longest)
