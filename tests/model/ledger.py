"""What the outside sees of each job, apart from Redis, and the promises that it must agree with."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.model.model import Job, Model
from tests.model.reading import New, Reader

from msgqueue.jobs import Claimed
from msgqueue.settings import DEFAULT_MAX_DELIVERIES
from msgqueue.store.steps import Step


class Broken(AssertionError):
    """A promise does not hold."""


def ensure(holds: object, what: str) -> None:
    """Raise `Broken` unless it holds."""
    if not holds:
        raise Broken(what)


@dataclass
class Tale:
    """One job from its enqueue, or requeue, to its end.

    Attributes:
        job: its state in the model.
        life: how often it had been requeued.
        order: its turn among those that went to the back of its queue; None for others.
        starts: executions that began.
        running: those that have not ended, and whose process lives.
        ended: those that ended, and how.
        drained: how many runs were ended for a drain.
        stopped: the execution that somebody asked to stop.
        canceled: whether somebody was told that it is.
        attempts: which run each start was said to be.
        tampered: whether others' plain commands changed it: they promise less.
        parents: those that it waits for, as long as it does.
    """

    job: Job
    life: int
    order: int | None = None
    claimed: bool = False
    starts: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    drained: int = 0
    stopped: str = ""
    canceled: bool = False
    attempts: list[int] = field(default_factory=list)
    tampered: bool = False
    parents: list[str] = field(default_factory=list)


class Ledger:
    """Hears of everything that happens, and raises where a promise is broken.

    Attributes:
        acknowledged: ids whose enqueue was answered.
        begins: how often each id began.
        written_off: ids that others lost, or changed behind each other's back.
        lossy: whether Redis lost writes or its clock jumped, so that some promises are weaker.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._tales: dict[str, Tale] = {}
        self._of: dict[str, Tale] = {}  # member of an execution: its tale
        self._turn = 0
        self._last_turn: dict[str, int] = {}
        self.lossy = False
        self.written_off: set[str] = set()
        self._made: set[tuple[str, str]] = set()
        self.acknowledged: set[str] = set()
        self.begins: Counter[str] = Counter()

    def tale(self, job_id: str) -> Tale | None:
        """The tale of this id's present job."""
        return self._tales.get(job_id)

    # What Redis has done

    def executed(self, step: Step[object], answer: Any) -> None:
        """A step was carried out; `answer` is the essence of what was said."""
        match step.script.name:
            case "enqueue":
                self._enqueued(Reader(step.args).all_new())
            case "requeue":
                self.renew(str(step.args[0]))
            case "cancel" | "stop":
                self._stop(str(step.args[0]), answer)
            case "work":
                for queue, job_id, execution, *_ in answer[2]:
                    self._handed(queue, job_id, execution)
            case "settle":
                self._settle(Reader(step.args))
        self._look_at_dependents(step, answer)

    def _enqueued(self, jobs: Iterable[New]) -> None:
        """A call may have made these: no copy of it may do so again."""
        for new in jobs:
            job = self._model.jobs.get(new.id)
            if job is None or job.created != new.created:
                continue  # another mention of its id, in this call or before, made what there is
            if self.renew(new.id, in_turn=new.place == "back"):
                made = new.id, job.created
                again = made in self._made and not self.lossy
                ensure(not again, f"a late copy of its enqueue brings {new.id} back")
                self._made.add(made)

    def deferred(self, job_id: str) -> None:
        """A job waits for others."""
        self.renew(job_id)
        tale = self._tales[job_id]
        tale.parents = list(tale.job.parents)

    def _look_at_dependents(self, step: Step[object], answer: Any) -> None:
        for job_id, tale in self._tales.items():
            if tale.parents and step.script.name == "delete" and answer == "deleted":
                tale.parents = [one for one in tale.parents if one != step.args[0]]
            if tale.parents:
                self._look_at_dependent(job_id, tale)

    def _look_at_dependent(self, job_id: str, tale: Tale) -> None:
        """Whoever waits for others no longer must have been let go by each of them."""
        job = self._model.jobs.get(job_id)
        if job is not None and job.place == "deferred":
            return
        parents, tale.parents = tale.parents, []
        if job is None or job.place == "canceled" or self.lossy:
            return
        for parent in parents:
            ensure(self._lets_go(parent, job), f"{job_id} follows {parent}, which has not ended")

    def _lets_go(self, parent: str, follower: Job) -> bool:
        job, tale = self._model.jobs.get(parent), self._tales.get(parent)
        if job is None or tale is None or (follower.lenient and job.status == "failed"):
            return True
        return job.status == "finished" and not {"ok", "none"}.isdisjoint(tale.ended.values())

    def damaged(self, job_id: str) -> None:
        """A job was damaged: one that is set aside leaves no trace, so it may be made again."""
        self._made.discard((job_id, self._model.jobs[job_id].created))

    def renew(self, job_id: str, *, in_turn: bool = False) -> bool:
        """Begin a tale where the job is another than that of the last one, or was requeued.

        Whether it is another.
        """
        job, tale = self._model.jobs.get(job_id), self._tales.get(job_id)
        if job is None or (tale and tale.job is job and tale.life == job.lives):
            return False
        self._turn += 1
        self._tales[job_id] = Tale(job, job.lives, self._turn if in_turn else None)
        return tale is None or tale.job is not job

    def _handed(self, queue: str, job_id: str, execution: str) -> None:
        """A claim was carried out."""
        tale = self._tales[job_id]
        self._of[f"{job_id}:{execution}"] = tale
        if tale.order is not None and not tale.claimed and not self.lossy:
            before = self._last_turn.get(queue, 0)
            ensure(tale.order > before, f"{job_id} was claimed after one that came later")
            self._last_turn[queue] = tale.order
        tale.claimed = True

    def _stop(self, job_id: str, answer: Any) -> None:
        job, tale = self._model.jobs.get(job_id), self._tales.get(job_id)
        if tale and answer == ("canceled", False) and tale.job.status == "canceled":
            tale.canceled = True
        if job and tale and (job.queue, f"{job_id}:{job.stop}") in self._model.leases:
            tale.stopped = job.stop

    def _settle(self, args: Reader) -> None:
        args.take(4)
        args.runs()
        for run in args.runs():
            tale = self._of.get(run.member)
            if run.how == "death" and tale is not None:
                ensure(run.execution in tale.starts, f"{run.member} is judged and never began")
            if run.how == "drain" and tale is not None:
                tale.drained += 1

    # What processes do

    def began(self, job: Claimed) -> None:
        """A job's function is called."""
        member = f"{job.id}:{job.execution}"
        tale = self._of[member]
        others = [
            one for one in tale.running if (job.queue, f"{job.id}:{one}") in self._model.leases
        ]
        ensure(not others or self.lossy, f"{member} begins while {others} runs under its lease")
        if not (self.lossy or tale.tampered):
            self._may_begin(member, job, tale)
        tale.starts.append(job.execution)
        tale.attempts.append(job.attempt)
        self.begins[job.id] += 1
        tale.running.add(job.execution)

    def began_elsewhere(self, job_id: str, execution: str) -> None:
        """A plain rq worker calls a job's function."""
        self.begins[job_id] += 1
        tale = self._tales.get(job_id)
        if tale is None:
            return
        held = [
            one for one in tale.running if (tale.job.queue, f"{job_id}:{one}") in self._model.leases
        ]
        weak = self.lossy or tale.tampered
        ensure(weak or not held, f"rq begins {job_id} while {held} runs under its lease")
        tale.running.add(execution)

    def _may_begin(self, member: str, job: Claimed, tale: Tale) -> None:
        ensure(not tale.canceled, f"{member} begins after `canceled` was answered")
        ensure((job.queue, member) in self._model.leases, f"{member} begins without its lease")
        ensure(
            tale.stopped in ("", job.execution),
            f"{member} begins though the stop of {tale.stopped} was accepted",
        )
        now = tale.job
        most = (now.max or DEFAULT_MAX_DELIVERIES) + now.runs_before + now.asked_retries
        ensure(
            len(tale.starts) < most + tale.drained,
            f"{member} is start {len(tale.starts) + 1}, allowed are {most + tale.drained}",
        )

    def ended(self, job: Claimed, kind: str) -> None:
        """A job's function has returned, or raised."""
        tale = self._of[f"{job.id}:{job.execution}"]
        tale.running.discard(job.execution)
        tale.ended[job.execution] = kind
        if kind == "declined":  # nothing of the function was entered
            tale.starts.remove(job.execution)

    def died(self, job: Claimed) -> None:
        """The process that ran it is gone."""
        self._of[f"{job.id}:{job.execution}"].running.discard(job.execution)

    # At the end

    def unfinished(self) -> list[str]:
        """The jobs that are not final, though they wait for no other."""
        waits = self._model
        return [
            name
            for name, job in waits.jobs.items()
            if name not in self.written_off
            and not job.final
            and (job.place != "deferred" or not waits.waits(job))
        ]

    def check_end(self, damaged: Iterable[str]) -> None:
        """All has come to rest: every acknowledged job has ended, and the finished ones did run."""
        ensure(not self.unfinished(), f"not final: {self.unfinished()}")
        for job_id in self.acknowledged - set(damaged):
            tale = self._tales.get(job_id)
            ensure(tale is not None, f"{job_id} was acknowledged and is unknown")
            weak = self.lossy or tale is None or tale.tampered
            if tale is not None and tale.job.status == "finished" and not weak:
                ran = {"ok", "none"} & set(tale.ended.values())
                ensure(ran, f"{job_id} is finished and never ran")
