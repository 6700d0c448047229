"""The protocol in plain Python: where each job is, who holds it, what every step does to that.

It knows nothing of hashes, registries and scripts. What it foretells, the scripts must do.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from tests.model.reading import New, Reader, Run, queues_of

from msgqueue.settings import (
    DEFAULT_FAILURE_TTL,
    DEFAULT_RESULT_TTL,
    PAUSES_BETWEEN_OFFERS,
)
from msgqueue.store.messages import Arg, Entry

OLD: Final = 8_000  # milliseconds without a refresh after which an execution is taken over
HOLD: Final = 4_000
LOCK: Final = 3_000
LEASE: Final = 900_000
REFUSED: Final = "refused"  # the script raises an error, and nothing is done
MINUTE: Final = 60_000
MONTH: Final = 30 * 86_400_000
Handed = tuple[str, str, str, int, int]  # queue, id, execution, attempt, offers in vain
FINAL: Final = {
    "finished": "finished",
    "failed": "failed",
    "stopped": "failed",
    "canceled": "canceled",
}


@dataclass
class Job:
    """One job; times are milliseconds of Redis's clock."""

    queue: str
    created: str
    status: str = "queued"
    place: str = "queue"  # queue, wip, scheduled, deferred, finished, failed, canceled, nowhere
    enqueued: str = ""
    front: bool = False  # where it goes when its time has come
    front_again: bool = False  # whether its repeats do
    due: int = 0
    expires: int | None = None
    max: int | None = None
    retries_left: int = 0
    intervals: Sequence[int] = ()
    result_ttl: int = DEFAULT_RESULT_TTL
    failure_ttl: int = DEFAULT_FAILURE_TTL
    deaths: int = 0
    declined: int = 0  # offers of this run that were in vain
    unreadable: str = ""  # the damaged field: whoever claims it sets it aside; or "kind": all is
    parents: list[str] = field(default_factory=list)
    lenient: bool = False  # a parent may fail
    lives: int = 0  # how often it was requeued
    requeued: str = ""  # the last call that did it
    cancelled: str = ""  # the last call that did, or asked for, that
    runs_before: int = 0  # that ended in a repeat
    asked_retries: int = 0  # repeats that the task asked for itself
    execution: str = ""
    stop: str = ""
    shown: set[str] = field(default_factory=set)  # executions that rq, too, can see
    results: list[tuple[int, str]] = field(default_factory=list)  # kind, execution

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @property
    def broken(self) -> bool:
        """Whether its key is no hash: whoever does something to it sets it aside, or is refused."""
        return self.unreadable == "kind"


@dataclass
class Lane:
    """A worker's hash."""

    seq: int
    expires: int
    refused: list[str] = field(default_factory=list)
    handed: list[tuple[str, str]] = field(default_factory=list)  # queue, id
    closed: bool = False


class Model:
    """The state that Redis must hold. Each method of a script's name does what that step does."""

    def __init__(self) -> None:
        self.now = self.latest = 0
        self.jobs: dict[str, Job] = {}
        self.queues: dict[str, list[str]] = {}
        self.leases: dict[tuple[str, str], int] = {}  # (queue, member): last refresh
        self.elsewhere = 0  # what plain rq workers have, where that is not foretold
        self.lanes: dict[str, Lane] = {}
        self.done: dict[str, tuple[list[str], int]] = {}  # id: what was done to it, until
        self.leader: tuple[str, int, int] | None = None  # token, since, until
        self.asked = 0  # when anybody last asked to lead
        self.promoters: dict[str, tuple[str, int]] = {}  # queue: who, until
        self.known: set[str] = set()  # queues
        self.crews: dict[str, set[str]] = {}  # queue: the workers that rq lists
        self.dependents: dict[str, list[str]] = {}  # parent: who waits for it
        self.forgotten: dict[str, int] = {}  # parent: when it is not known any more who does
        self.aside: dict[str, int] = {}  # ids of what was set aside, until
        self.stale: set[tuple[str, str]] = set()  # (queue, id) left among the cancelled
        self.handovers: list[str] = []  # parents whose dependents are to be looked at
        self._ending: list[str] = []  # parents that end in this step

    def saved(self) -> dict[str, Any]:
        """The whole state, for `restore`."""
        return deepcopy(self.__dict__)

    def restore(self, saved: dict[str, Any]) -> None:
        """Be in a former state again; a job that was there and is stays the same object."""
        jobs = self.jobs
        self.__dict__.update(deepcopy(saved))
        for name, job in self.jobs.items():
            if name in jobs and jobs[name].created == job.created:
                jobs[name].__dict__.update(job.__dict__)
                self.jobs[name] = jobs[name]

    def tick(self, now: int) -> bool:
        """It is now so late; what has expired is gone. Whether anything has."""
        self.now, self.latest = now, max(now, self.latest)
        jobs = [name for name, job in self.jobs.items() if job.expires and job.expires < now]
        lanes = [worker for worker, lane in self.lanes.items() if lane.expires < now]
        done = [name for name, (_, until) in self.done.items() if until < now]
        promoters = [queue for queue, (_, until) in self.promoters.items() if until < now]
        waited = [name for name, until in self.forgotten.items() if until < now]
        aside = [name for name, until in self.aside.items() if until < now]
        led = self.leader is not None and self.asked + LOCK < now
        cancelled = [name for name in jobs if self.jobs[name].place == "canceled"]
        self.stale |= {(self.jobs[name].queue, name) for name in cancelled}
        for names, table in (
            (jobs, self.jobs),
            (lanes, self.lanes),
            (done, self.done),
            (promoters, self.promoters),
            (waited, self.dependents),
            (waited, self.forgotten),
            (aside, self.aside),
        ):
            for name in names:
                table.pop(name, None)
        if led:
            self.leader = None
        return bool(jobs or lanes or done or promoters or waited or aside or led)

    def apply(self, name: str, keys: Sequence[str], args: Sequence[Arg]) -> Any:
        """Do what the script of this name does; gives the essence of its answer."""
        step: Callable[[Reader], Any] | None = getattr(self, name, None)
        self._ending = []
        if self._is_refused(name, args):
            return REFUSED
        if name == "unlock":
            return self.unlock(keys[0].removeprefix("rq:scheduler-lock:"), str(args[0]))
        return step(Reader(args)) if step else None

    def _is_refused(self, name: str, args: Sequence[Arg]) -> bool:
        reader = Reader(args)
        if name == "enqueue":
            names = [new.id for new in reader.all_new()]
        else:
            names = [reader.one()] if name in ("cancel", "requeue", "delete", "stop") else []
        return any(one in self.jobs and self.jobs[one].broken for one in names)

    # Clients

    def enqueue(self, args: Reader) -> list[tuple[str, bool, str]]:
        """Jobs come."""
        return [self._enqueue(new) for new in args.all_new()]

    def _enqueue(self, new: New) -> tuple[str, bool, str]:
        job = self.jobs.get(new.id)
        if job is not None and job.created == new.created:
            return new.id, True, job.status
        if job is not None and not job.final:
            return new.id, False, job.status
        if self._is_done(new.id, new.created):
            return new.id, True, "finished"
        if job is not None and new.unique:
            return new.id, False, job.status
        if job is not None:
            self._trace(new.id, job.created)
            self.forgotten.pop(new.id, None)
            self.leases.pop((job.queue, f"{new.id}:{job.execution}"), None)
        fields = new.fields
        later = isinstance(new.place, float)
        made = Job(new.queue, new.created, enqueued="" if later else new.created)
        made.front = bool(fields.get("enqueue_at_front"))
        made.max = fields.get("mq_max")
        made.retries_left = fields.get("retries_left", 0)
        made.intervals = json.loads(fields.get("retry_intervals", "[]"))
        made.result_ttl = fields.get("result_ttl", DEFAULT_RESULT_TTL)
        made.failure_ttl = fields.get("failure_ttl", DEFAULT_FAILURE_TTL)
        self.jobs[new.id] = made
        self.known.add(new.queue)
        if isinstance(new.place, float):
            made.status = made.place = "scheduled"
            made.due = round(new.place * 1000)
        else:
            self._push(new.id, front=new.place == "front")
        return new.id, True, made.status

    def cancel(self, args: Reader) -> tuple[str | None, bool]:
        """A job that waits is cancelled, a claimed one asked to stop."""
        name, text = args.take(2)
        job = self.jobs.get(name)
        if job is None:
            return None, False
        held = self._owns(Entry(job.queue, name, job.execution))
        if job.final and not held:
            return job.status, False
        if job.cancelled == text and not (job.stop and job.stop == job.execution):
            return "canceled", False
        if job.cancelled != text and self._is_done(name, f"cancel {text}"):
            return "canceled", False
        self._trace(name, f"cancel {text}")
        if held:
            job.stop, job.cancelled = job.execution, text
        if held or job.place == "rq":
            return "started", True
        job.cancelled = text
        self._take_out(name)
        self._cancelled(name, job)
        return "canceled", False

    def requeue(self, args: Reader) -> tuple[str | None, bool]:
        """A final job runs once more."""
        name, text = args.take(2)
        job = self.jobs.get(name)
        if job is None or job.unreadable == "data":
            return None, False
        if job.requeued == text or self._is_done(name, f"requeue {text}"):
            return "queued", True
        held = self._owns(Entry(job.queue, name, job.execution))
        if held or not job.final:
            return job.status, False
        job.runs_before += job.status != "canceled"
        job.status, job.enqueued, job.expires = "queued", text, None
        job.requeued = text
        self._trace(name, f"requeue {text}")
        job.lives += 1
        job.stop = ""
        job.deaths = job.declined = 0
        self.forgotten.pop(name, None)
        self._push(name)
        return "queued", True

    def delete(self, args: Reader) -> str:
        """A job goes, unless it runs."""
        name, text = args.take(2)
        job = self.jobs.get(name)
        if self._is_done(name, f"delete {text}"):
            return "deleted"
        if job is None:
            return "missing"
        if job.place == "rq" or self._owns(Entry(job.queue, name, job.execution)):
            return "refused"
        self._take_out(name)
        self._trace(name, job.created)
        self._trace(name, f"delete {text}")
        del self.jobs[name]
        self._leave_behind(name, job)
        return "deleted"

    # Children

    def register(self, args: Reader) -> bool:
        """A lane opens."""
        worker, _lane, _text = args.take(3)
        if worker in self.lanes:
            return False
        self._open(worker, 0, queues_of(args.rest()))
        return True

    def _open(self, worker: str, seq: int, queues: Iterable[str]) -> Lane:
        lane = self.lanes[worker] = Lane(seq, self.now + MINUTE)
        for queue in queues:
            self.crews.setdefault(queue, set()).add(worker)
        return lane

    def work(self, args: Reader) -> tuple[str, list[str], list[Handed]]:
        """A child reports, and claims."""
        worker, seq, lane_id, count, text = args.take(5)
        queues, outcomes = args.counted(), args.runs()
        lane = self.lanes.get(worker)
        if lane is None or lane.closed or seq < lane.seq:
            return "missing" if lane is None else "dead" if lane.closed else "old", [], []
        lane.expires = self.now + MINUTE
        execution = f"{lane_id}.{seq}"
        if seq == lane.seq:
            own = [q_id for q_id in lane.handed if self._is_told_again(*q_id, execution)]
            return "", sorted(lane.refused), [self._handed(*q_id, execution) for q_id in own]
        lane.seq = seq
        lane.refused = [run.member for run in outcomes if self._report(run) == "lost"]
        self._visit_ending(text)
        lane.handed = self._claim(queues, count, execution)
        return "", sorted(lane.refused), [self._handed(*h, execution) for h in lane.handed]

    def _handed(self, queue: str, name: str, execution: str) -> Handed:
        job = self.jobs[name]
        attempt = 1 + job.runs_before + job.asked_retries + job.deaths
        return queue, name, execution, attempt, job.declined

    def _is_told_again(self, queue: str, name: str, execution: str) -> bool:
        job = self.jobs.get(name)
        readable = job is not None and not job.unreadable
        return readable and self._owns(Entry(queue, name, execution))

    def _claim(self, queues: Iterable[str], count: int, execution: str) -> list[tuple[str, str]]:
        taken: list[tuple[str, str]] = []
        for queue in queues:
            ids = self.queues.get(queue, [])
            most = len(taken) + self._share(queue, count - len(taken))
            while ids and len(taken) < most:
                job = self.jobs.get(ids[0])
                if taken and job is not None and self._waits_to_be_alone(job):
                    return taken
                if job is None or not self._claimable(ids[0], job):
                    self._set_aside(ids.pop(0), job)
                    continue
                alone = job.deaths > 0 or job.max == 1
                if alone and taken:
                    return taken
                name = ids.pop(0)
                job.status, job.place, job.execution, job.expires = (
                    "started",
                    "wip",
                    execution,
                    None,
                )
                self.leases[queue, f"{name}:{execution}"] = self.now
                taken.append((queue, name))
                if alone:
                    return taken
        return taken

    def _share(self, queue: str, wanted: int) -> int:
        """What falls to one of the workers of a queue."""
        workers = len(self.crews.get(queue, ()))
        if wanted < 2 or workers < 2:
            return wanted
        return max(1, min(wanted, math.ceil(len(self.queues.get(queue, ())) / workers)))

    def _waits_to_be_alone(self, job: Job) -> bool:
        """Whether a damaged time limit is seen only once the job is the first of a claim."""
        alone = job.deaths > 0 or job.max == 1
        return alone and job.status == "queued" and job.unreadable == "timeout"

    def _claimable(self, name: str, job: Job) -> bool:
        held = self._owns(Entry(job.queue, name, job.execution))
        return job.status == "queued" and not held and not job.unreadable

    def _set_aside(self, name: str, job: Job | None) -> None:
        if job is None or not job.unreadable:
            return
        del self.jobs[name]
        self.aside[name] = self.now + MONTH
        if self.dependents.get(name):
            self.forgotten[name] = self.now + MONTH

    def _report(self, run: Run) -> str:
        """An outcome, recorded if the run still is the job's; what became of it."""
        verdict = self._let_go(run)
        if verdict:
            return verdict
        job = self.jobs[run.id]
        if run.how in ("ok", "none"):
            self._finish(run, job)
        elif run.how == "retry":
            self._asks_to_retry(run, job)
        elif run.how == "declined":
            return self._decline(run, job)
        else:
            return self._error(run, job)
        return ""

    def _let_go(self, run: Run) -> str:
        """A run has no job any more; why that is nobody's to record, where it is so."""
        entry = Entry(run.queue, run.id, run.execution)
        if not self._owns(entry):
            return "lost"
        del self.leases[entry.queue, entry.member]
        job = self.jobs.get(run.id)
        if job is None or job.status == "canceled":
            return "gone"
        if job.broken:
            self._set_aside(run.id, job)
            return "aside"
        return ""

    def _finish(self, run: Run, job: Job) -> None:
        job.deaths = 0
        if 0 <= job.result_ttl < 60:
            self._trace(run.id, job.created)
        if self._mark(run.id) and job.result_ttl == 0:  # its dependents have to see how it ended
            self._ended(job, "finished", 60)
            return
        if job.result_ttl == 0:
            del self.jobs[run.id]
            return
        if run.how == "ok":
            job.results.append((1, run.execution))
        self._ended(job, "finished", job.result_ttl)

    def _error(self, run: Run, job: Job) -> str:
        if job.stop == run.execution or job.retries_left <= 0:
            stopped = job.stop == run.execution
            self._fail(run, job, *(("stopped", 3) if stopped else ("failed", 2)))
            return job.status
        at = max(len(job.intervals) - job.retries_left, 0)
        interval = job.intervals[at] if at < len(job.intervals) else 0
        job.retries_left -= 1
        job.runs_before += 1
        self._again(run, job, interval, front=job.front_again)
        return "requeued"

    def _decline(self, run: Run, job: Job) -> str:
        if job.stop == run.execution or job.declined >= len(PAUSES_BETWEEN_OFFERS):
            return self._error(run, job)
        pause, offers = PAUSES_BETWEEN_OFFERS[job.declined], job.declined + 1
        self._again(run, job, pause + self.now % (1 + pause // 4))
        job.declined = offers
        return ""

    def _asks_to_retry(self, run: Run, job: Job) -> None:
        most, interval, front = map(int, run.value.split(b":"))
        if job.stop == run.execution:
            self._fail(run, job, "stopped", 3)
            return
        if job.asked_retries >= most:
            self._fail(run, job, "failed", 5)
            return
        job.results.append((4, run.execution))
        job.asked_retries += 1
        job.front_again = job.front_again or bool(front)
        self._again(run, job, interval, front=job.front_again)

    def _fail(self, run: Run, job: Job, status: str, kind: int) -> None:
        job.deaths = job.declined = 0
        job.results.append((kind, run.execution))
        self._ended(job, status, _floored(job.failure_ttl))
        self._mark(run.id)

    def _ended(self, job: Job, status: str, ttl: int) -> None:
        job.status, job.place = status, FINAL[status]
        job.expires = None if ttl < 0 else self.now + ttl * 1000

    def _cancelled(self, name: str, job: Job) -> None:
        job.deaths = job.declined = 0
        self._forget(name, _floored(job.failure_ttl))
        self._ended(job, "canceled", _floored(job.failure_ttl))

    def _again(self, run: Run, job: Job, interval: int, *, front: bool = False) -> None:
        job.declined = 0
        if interval > 0:
            job.status = job.place = "scheduled"
            job.due = math.ceil(self.now / 1000 + interval) * 1000
        else:
            job.status, job.enqueued = "queued", run.ended_text
            self._push(run.id, front=front)

    # Supervisors

    def release(self, args: Reader) -> int:
        """For a child at a long job: what it ended is reported, what it holds goes back."""
        text, _ = args.take(2)
        for run in args.runs():
            self._report(run)
        self._visit_ending(text)
        return self._give_back(args.entries())

    def settle(self, args: Reader) -> tuple[int, int, list[str]]:
        """The account of a dead child."""
        worker, lane_id, text, most = args.take(4)
        lane = self.lanes.get(worker)
        if lane is not None:
            lane.closed, lane.expires = True, self.now + MINUTE
            for crew in self.crews.values():
                crew.discard(worker)
        said, held = [], []
        for run in args.runs():
            verdict = self._report(run)
            # An outcome that fails or repeats a job is counted as nothing.
            said.append(run.member if verdict == "lost" else "")
        for run in args.runs():
            if run.how == "drain" and not self._must_end(run):
                held.append(Entry(run.queue, run.id, run.execution))
            else:
                verdict = self._judge(run, most)
                said.append(run.member if verdict == "lost" else verdict)
        held += args.entries()
        if lane is not None:
            held += [Entry(*q_id, f"{lane_id}.{lane.seq}") for q_id in lane.handed]
        self._visit_ending(text)
        requeued = said.count("requeued") + self._give_back(held)
        failed = said.count("failed") + said.count("stopped")
        return requeued, failed, sorted(one for one in said if ":" in one)

    def _judge(self, run: Run, most: int) -> str:
        if run.how in ("timeout", "memory"):
            return self._report(run)
        return self._die(run, most)

    def _must_end(self, run: Run) -> bool:
        job = self.jobs.get(run.id)
        owned = self._owns(Entry(run.queue, run.id, run.execution))
        return job is not None and owned and (job.broken or job.stop == run.execution)

    def beat(self, args: Reader) -> list[tuple[bool, list[str], list[str]]]:
        """Children live, and hold what they hold."""
        args.one()
        answers = []
        while args.more:
            pulse = args.pulse()
            lane = self.lanes.get(pulse.worker)
            if lane is None:
                lane = self._open(pulse.worker, pulse.seq, pulse.queues)
            if not lane.closed:
                lane.expires = self.now + MINUTE
            lost, stop = [], []
            for entry, long in pulse.entries:
                if not self._refresh(entry, long):
                    lost.append(entry.member)
                elif self._is_to_stop(entry):
                    stop.append(entry.member)
            answers.append((lane.closed, sorted(lost), sorted(stop)))
        return answers

    def _is_to_stop(self, entry: Entry) -> bool:
        job = self.jobs[entry.id]
        return not job.broken and job.stop == entry.execution

    def _refresh(self, entry: Entry, long: bool) -> bool:
        job = self.jobs.get(entry.id)
        if not self._owns(entry):
            return False
        if job is not None and job.broken:
            return True  # it cannot be told, and grows old
        self.leases[entry.queue, entry.member] = self.now
        if job is None or job.status == "canceled":
            return False
        if long:
            job.shown.add(entry.execution)
        return True

    def stop(self, args: Reader) -> Entry | None:
        """rq's stop-job message came."""
        name, _any = args.take(2)
        job = self.jobs.get(name)
        if job is None or not self._owns(Entry(job.queue, name, job.execution)):
            return None
        job.stop = job.execution
        return Entry(job.queue, name, job.execution)

    # Upkeep

    def lead(self, args: Reader) -> bool:
        """Somebody wants to sweep."""
        token = args.one()
        if self.leader and self.asked > self.now:  # the clock went back
            self.leader = None
        self.asked = self.now
        former, since, until = self.leader or (token, self.now, 0)
        if former != token and self.now < until <= self.now + LOCK:
            return False
        self.leader = token, min(since, self.now), self.now + LOCK
        return True

    def sweep(self, args: Reader) -> tuple[str, int, int, int]:
        """Executions that nobody refreshed are deaths."""
        token, text, most, _reason = args.take(4)
        if self.leader is None or self.leader[0] != token:
            return "not leader", 0, 0, 0
        if self.asked > self.now or self.now - self.leader[1] < HOLD:
            return "waiting", 0, 0, 0
        said = []
        for queue, member in sorted(self.leases, key=lambda key: (self.leases[key], key)):
            age = self.now - self.leases[queue, member]
            if queue in self.known and "." in member and (age > OLD or age < -1000):
                name, execution = member.rsplit(":", 1)
                run = Run(queue, name, execution, "death", b"", "0", "0", "", text)
                said.append(self._die(run, most))
        self._visit_ending(text)
        requeued, failed = said.count("requeued"), said.count("failed") + said.count("aside")
        return "", requeued, failed, len(said) - requeued - failed

    def _die(self, run: Run, most: int) -> str:
        verdict = self._let_go(run)
        if verdict:
            return verdict
        job = self.jobs[run.id]
        limit = job.max or most
        if job.stop == run.execution or run.how == "stop":
            self._fail(run, job, "stopped", 3)
            return "stopped"
        if limit == 1:
            return self._error(run, job)
        if job.deaths + 1 >= limit:
            self._fail(run, job, "failed", 2)
            return "failed"
        job.deaths += 1
        if job.deaths == 1:
            job.status = "queued"
            self._put_front(run.queue, [run.id])
        else:
            self._again(run, job, 10 + self.now % 10)
        return "requeued"

    def promote(self, args: Reader) -> dict[str, tuple[bool, int]]:
        """Due jobs are queued."""
        holder, text = args.take(2)
        return {queue: self._promote(queue, holder, text) for queue in args.rest()}

    def _promote(self, queue: str, holder: str, text: str) -> tuple[bool, int]:
        owner = self.promoters.get(queue)
        if owner and owner[0] != holder:
            return True, 0
        ids = [n for n, j in self.jobs.items() if j.place == "scheduled" and j.queue == queue]
        if not ids:
            self.promoters.pop(queue, None)
            return False, 0
        self.promoters[queue] = holder, self.now + 5_000
        due = sorted((self.jobs[name].due, name) for name in ids if self.jobs[name].due <= self.now)
        for name in [name for _, name in due if self.jobs[name].broken]:
            self._set_aside(name, self.jobs[name])
        due = [(at, name) for at, name in due if name in self.jobs]
        for _, name in due:
            job = self.jobs[name]
            job.status, job.enqueued = "queued", text
            self._push(name, front=job.front or job.front_again)
        return False, len(due)

    def handover(self, args: Reader) -> int:
        """The dependents of jobs that have ended."""
        self._ending = list(self.handovers)
        return self._visit_ending(args.one())

    def trim(self, args: Reader) -> None:
        """What has expired is listed no more, nor are workers that died with their machine."""
        queue = args.one()
        self.crews.get(queue, set()).intersection_update(self.lanes)
        broken = {name for name, job in self.jobs.items() if job.broken}
        self.stale = {(of, name) for of, name in self.stale if of != queue or name in broken}

    def orphans(self, args: Reader) -> int:
        """Who waits for nobody that could let it go is cancelled, or let go."""
        queue, text = args.take(2)
        waiting = [n for n, j in self.jobs.items() if j.place == "deferred" and j.queue == queue]
        freed = [name for name in sorted(waiting) if not self.waits(self.jobs[name])]
        for name in freed:
            job = self.jobs[name]
            for parent in job.parents:
                others = [one for one in self.dependents.get(parent, ()) if one != name]
                self.dependents[parent] = others
                if not others:
                    self.dependents.pop(parent)
                    self.forgotten.pop(parent, None)
            if all(parent in self.jobs for parent in job.parents):
                job.status, job.enqueued = "queued", text
                self._push(name, front=job.front)
            else:
                self._cancelled(name, job)
        return len(freed)

    def unlock(self, queue: str, holder: str) -> bool:
        """Somebody minds a queue's due jobs no longer."""
        owner = self.promoters.get(queue)
        if owner is None or owner[0] != holder:
            return False
        del self.promoters[queue]
        return True

    # What several of them do

    def _owns(self, entry: Entry) -> bool:
        return (entry.queue, entry.member) in self.leases

    def _trace(self, name: str, what: str) -> None:
        """A copy of a call finds for a minute that it was carried out."""
        former, _ = self.done.get(name, ([], 0))
        self.done[name] = [*former, what], self.now + MINUTE

    def _is_done(self, name: str, what: str) -> bool:
        return what in self.done.get(name, ([], 0))[0]

    def _mark(self, parent: str) -> bool:
        """Have the dependents of a job that ends looked at; whether it has any."""
        if not self.dependents.get(parent):
            return False
        self._ending.append(parent)
        if parent not in self.handovers:
            self.handovers.append(parent)
        return True

    def _forget(self, parent: str, ttl: int) -> None:
        """Who waits for a final job is not known for ever."""
        if ttl >= 0 and self.dependents.get(parent):
            self.forgotten[parent] = self.now + max(ttl, 3600) * 1000

    def _forget_with(self, parent: str) -> None:
        """Those who wait for an ended job were looked at: who waits on is known as long as it."""
        job = self.jobs.get(parent)
        if not self.dependents.get(parent):
            self.dependents.pop(parent, None)
            self.forgotten.pop(parent, None)
        elif job is None or job.expires is not None:
            left = 0 if job is None or job.expires is None else job.expires - self.now
            self._forget(parent, math.ceil(left / 1000))

    def _leave_behind(self, parent: str, gone: Job) -> None:
        """Who waits for no job but a deleted one is cancelled, unless that had finished."""
        for name in self.dependents.get(parent, ()):
            job = self.jobs.get(name)
            if job is None or job.place != "deferred":
                continue
            job.parents.remove(parent)
            follows = gone.status == "finished" or (gone.status == "failed" and job.lenient)
            if not follows and self.met(job):
                self._cancelled(name, job)
        if parent not in self.handovers:
            self.dependents.pop(parent, None)
            self.forgotten.pop(parent, None)

    def _visit_ending(self, text: str) -> int:
        moved = 0
        for parent in self._ending:
            waiting = self.dependents.get(parent, [])
            for name in list(waiting):
                job = self.jobs.get(name)
                deferred = job is not None and job.place == "deferred"
                if job is not None and deferred and self.met(job):
                    job.status, job.enqueued = "queued", text
                    self._push(name, front=job.front)
                    moved += 1
                elif deferred:
                    continue
                waiting.remove(name)
            self._forget_with(parent)
            if parent in self.handovers:
                self.handovers.remove(parent)
        return moved

    def met(self, job: Job) -> bool:
        """Whether it need not wait for any parent."""
        ends = {"finished", "failed"} if job.lenient else {"finished"}
        found = [self.jobs[name] for name in job.parents if name in self.jobs]
        return all(parent.status in ends for parent in found)

    def waits(self, job: Job) -> bool:
        """Whether a parent can still let a deferred job go."""
        gone = [name for name in job.parents if name not in self.jobs]
        kept = any(name in self.aside or name in self.handovers for name in gone)
        return kept or not self.met(job)

    def _push(self, name: str, *, front: bool = False) -> None:
        job = self.jobs[name]
        job.place = "queue"
        ids = self.queues.setdefault(job.queue, [])
        ids.insert(0 if front else len(ids), name)

    def _take_out(self, name: str) -> None:
        ids = self.queues.get(self.jobs[name].queue, [])
        ids[:] = [one for one in ids if one != name]

    def _give_back(self, entries: Iterable[Entry]) -> int:
        given: dict[str, list[str]] = {}
        for entry in entries:
            job = self.jobs.get(entry.id)
            if not self._owns(entry) or (job is not None and job.broken):
                continue
            del self.leases[entry.queue, entry.member]
            if job is None or job.status == "canceled":
                continue
            if job.stop == entry.execution:
                self._cancelled(entry.id, job)
            else:
                job.status = "queued"
                given.setdefault(entry.queue, []).append(entry.id)
        for queue, names in given.items():
            self._put_front(queue, names)
        return sum(map(len, given.values()))

    def _put_front(self, queue: str, names: list[str]) -> None:
        """To the front, behind what there was enqueued earlier still."""
        for name in names:
            self.jobs[name].place = "queue"
        names = sorted(names, key=self._enqueued)
        ids = self.queues.setdefault(queue, [])
        passed = 0
        for other in ids[:128]:  # an id without a job ends the look
            job = self.jobs.get(other)
            if job is None or job.broken or self._enqueued(other) >= self._enqueued(names[-1]):
                break
            passed += 1
        ids[:passed] = sorted(names + ids[:passed], key=self._enqueued)

    def _enqueued(self, name: str) -> str:
        return self.jobs[name].enqueued


def _floored(ttl: int) -> int:
    """A failure is known for a minute at least."""
    return ttl if ttl < 0 else max(ttl, 60)
