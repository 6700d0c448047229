"""What plain rq workers have in their hands, and what of it is theirs to lose."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from tests.model.ledger import Tale
from tests.model.plain_commands import Run
from tests.model.plain_worker import PlainWorker
from tests.model.workers import Plan
from tests.model.world import World

from msgqueue.jobs import JobSpec
from msgqueue.store.steps import Step

REMEMBERED: Final = 60  # seconds for which ours leave a trace of a job that goes sooner


class PlainBooks:
    """Exempts from what must hold the jobs that a plain worker is at.

    One that died before it had noted its run has lost the job, unless it listens to a single queue:
    then, and ever after, our upkeep finds it. What clients do to a job in its hands rq overwrites.

    Args:
        world: where.
        specs: the jobs, by id.

    Attributes:
        starts: how many runs plain workers began.
        lost: ids that they lost.
        spoiled: ids that somebody changed meanwhile.
    """

    def __init__(self, world: World, specs: Mapping[str, JobSpec]) -> None:
        self._world, self._specs = world, specs
        self._at_work: set[str] = set()
        self.starts = 0
        self.lost: set[str] = set()
        self.spoiled: set[str] = set()

    def popped(self, worker: PlainWorker, job_id: str) -> None:
        """A worker has taken an id out of its queue."""
        self._world.exempt.add(job_id)
        self._at_work.add(job_id)
        if (tale := self._tale(job_id)) is not None:
            tale.claimed = True
        if not worker.alive:
            self.died(worker)

    def begins(self, run: Run) -> Plan:
        """A run begins; what it does: a task that asks for a repeat only returns a value here."""
        self._world.tell(f"{run.worker} begins {run.id} ({run.execution})")
        self.starts += 1
        self._world.ledger.began_elsewhere(run.id, run.execution)
        spec = self._specs[run.id]
        seconds, kind, _ = json.loads(spec.data)[2]
        good = kind in ("ok", "none", "retry") and not spec.description
        return Plan(seconds, "ok" if good else "error")

    def ends(self, run: Run, kind: str) -> None:
        """Its function has ended."""
        self._world.tell(f"{run.worker} ends {run.id} ({kind})")
        if (tale := self._tale(run.id)) is not None:
            tale.running.discard(run.execution)
            tale.ended[run.execution] = kind

    def put_down(self, run: Run) -> None:
        """Its end is written."""
        self._at_work.discard(run.id)
        spec = self._specs[run.id]
        soon_gone = spec.result_ttl is not None and spec.result_ttl < REMEMBERED
        if run.id in self._world.model.jobs and soon_gone:
            self._world.ledger.damaged(run.id)  # rq leaves no trace of what goes
        if json.loads(spec.data)[2][1] == "declined":
            self.spoiled.add(run.id)  # rq does not know that it was declined
        if run.id not in self.spoiled:
            self._world.exempt.discard(run.id)

    def let_go(self, names: Sequence[str]) -> None:
        """A worker has queued those who waited for its job; rq asks not whether they ran before."""
        for name in names:
            if self._world.model.jobs[name].place != "deferred":
                self._spoil(name)

    def died(self, worker: PlainWorker) -> None:
        """A worker is gone, with whatever it had."""
        run = worker.run
        self._world.tell(f"{worker.name} is gone, with {run}")
        tale = run and self._tale(run.id)
        if run is None or tale is None:
            return
        tale.tampered = True
        tale.running.discard(run.execution)
        if not worker.prepared and len(worker.queues) > 1:
            self.lost.add(run.id)
            self._world.ledger.written_off.add(run.id)

    def changed(self, step: Step[object]) -> None:
        """Somebody's call was carried out: what of a plain worker's jobs it may have changed."""
        if step.script.name not in ("cancel", "delete", "requeue", "stop"):
            return
        for job_id in [one for one in self._at_work if one in step.args]:
            self._spoil(job_id)

    def close(self) -> None:
        """All is at rest: only what was lost or spoiled needs no place."""
        self._world.exempt.intersection_update(self.lost | self.spoiled)

    def _spoil(self, job_id: str) -> None:
        self.spoiled.add(job_id)
        self._world.exempt.add(job_id)
        self._world.ledger.written_off.add(job_id)
        if (tale := self._tale(job_id)) is not None:
            tale.tampered = True

    def _tale(self, job_id: str) -> Tale | None:
        return self._world.ledger.tale(job_id)
