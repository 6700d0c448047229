"""Jobs under kill -9: a child each 0.4 s, the supervisor each 5 s, and what is left afterwards.

    python -m benchmarks.kill_workers --seed 1 --seed 2 --seed 3 --mixed

No job may be lost or failed, and twice may only run what was running when its process was killed:
a job whose end could be noted before the kill must not run again. Where the supervisor is killed,
too, before it has settled the account of a child, what that had ended and not reported may run
again: the promise gives a report 50 ms. Such kills are told. With `--mixed` a plain rq worker
takes jobs of the same queue; only our own processes are killed. rq's API, `rq info` and
rq-dashboard are asked right after each run. The kill of all workers at once, ours and others', is
a measurement of the benchmark: `kill`.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rq import Worker

from benchmarks.fleet import Fleet
from benchmarks.roster import CONTENDERS, MSGQUEUE
from benchmarks.rq_view import complaints
from benchmarks.server import Persistence, running
from benchmarks.trial import LOOK, WHOLE, Trial, trial
from msgqueue.embedded import binary

AGENT = sys.executable, "-m", "benchmarks.agent", MSGQUEUE.module
MILLISECONDS = 4
"""What a job takes."""
CHILD_EVERY, SUPERVISOR_EVERY = 0.4, 5.0
"""Seconds between two kills, at least."""
STALLED_AFTER = 30.0
"""Seconds without a job that ends, after which the rest are lost; a dead worker's come in 9."""
ORPHANS_GONE_WITHIN = 5.0
NOTED_WITHIN = 0.02
"""Seconds from the end of the task's function until a process has noted the outcome; whoever is
killed in between was still running the job. On a busy machine it waits for a core: as long as this
process was seen to wait comes on top."""
REPORTED_WITHIN = 0.05
"""Seconds from the first end of a claim until the child reports, once the job that runs then has
ended; what it had not reported is lost with the process and its supervisor."""


def main(
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable; default 1, 2, 3.")] = None,
    jobs: Annotated[int, typer.Option(min=1)] = 3_000,
    processes: Annotated[int, typer.Option(min=1)] = 2,
    mixed: Annotated[bool, typer.Option("--mixed", help="A plain rq worker beside ours.")] = False,
    server: Annotated[str | None, typer.Option(help="The server's executable.")] = None,
    persistence: Annotated[
        Persistence, typer.Option(help="What the server writes to disk.")
    ] = Persistence.NONE,
) -> None:
    """Run the jobs once for each seed; exit code 1 if anything was not as it must be."""
    wrong: list[str] = []
    for number in seed or [1, 2, 3]:
        with (
            TemporaryDirectory(prefix="msgqueue-kill-") as folder,
            running(binary.find(server), persistence, Path(folder)) as redis,
            trial(CONTENDERS[0], WHOLE, redis, AGENT, Path(folder)) as one,
        ):
            print(f"seed {number}{', beside rq' if mixed else ''}: ", end="", flush=True)
            siege = Siege(one, random.Random(number), jobs, processes)  # noqa: S311 - no secret
            wrong += siege.run(mixed)
    raise typer.Exit(1 if wrong else 0)


@dataclass
class Siege:
    """One run.

    Attributes:
        one: where it runs.
        dice: which child is killed.
        jobs: how many.
        processes: children of the supervisor.
        dead: the workers whose supervisor was killed.
        kills: when a child was killed, by its process id and the clock of the stamps.
        unsettled: those of them whose supervisor was killed before it had settled their account.
        late: the longest that this process has waited for a core, in seconds.
    """

    one: Trial
    dice: random.Random
    jobs: int
    processes: int
    dead: list[Fleet] = field(default_factory=list)
    kills: dict[int, float] = field(default_factory=dict)
    unsettled: set[int] = field(default_factory=set)
    late: float = 0.0

    def run(self, mixed: bool) -> list[str]:
        """Run it and print what happened; what was not as it must be."""
        self.one.clear()
        self.one.fill("hold", self.jobs, MILLISECONDS)
        began = time.monotonic()
        with _plain_rq_worker(self.one, mixed), ExitStack() as stack:
            fleet = self._besiege()
            stack.callback(fleet.stop)
            seconds = time.monotonic() - began
            found = [*self.losses(), *complaints(self.one.server, self.jobs, MILLISECONDS)]
        print(
            f"{self.jobs} jobs in {seconds:.1f} s, {len(self.kills)} children and {len(self.dead)}"
            f" supervisors killed, {len(self.unsettled)} together with a child,"
            f" {self.one.stamps.twice(self.jobs)} jobs ran twice"
        )
        for complaint in found:
            print(f"  WRONG: {complaint}")
        return found

    def _besiege(self) -> Fleet:
        """Kill until all jobs have ended, or nothing goes on; the workers of the end.

        A kill waits for a job that ends after the last one: on a busy machine processes may take
        longer to start than the time between two kills, and would never get to work.
        """
        fleet, stamps = self.one.start(self.processes), self.one.stamps
        done, since, killed = 0, time.monotonic(), 0
        child, supervisor = since + CHILD_EVERY, since + SUPERVISOR_EVERY
        while done < self.jobs and time.monotonic() - since < STALLED_AFTER:
            self.sleep()
            if (now := stamps.done(self.jobs)) > done:
                done, since = now, time.monotonic()
            if done == killed:
                continue
            if time.monotonic() > supervisor:
                supervisor, killed = time.monotonic() + SUPERVISOR_EVERY, done
                self.kill_supervisor(fleet)
                fleet = self.one.start(self.processes)
            elif time.monotonic() > child:
                child, killed = time.monotonic() + CHILD_EVERY, done
                self.kill_a_child(fleet)
        return fleet

    def sleep(self) -> None:
        """Sleep until the next look, and see how long this process waits for a core."""
        due = time.monotonic() + LOOK
        time.sleep(LOOK)
        self.late = max(self.late, time.monotonic() - due)

    def kill_a_child(self, fleet: Fleet) -> None:
        """Kill any of them."""
        if children := fleet.children():
            pid = self.dice.choice(children)
            os.kill(pid, signal.SIGKILL)
            self.kills[pid] = time.monotonic()

    def kill_supervisor(self, fleet: Fleet) -> None:
        """Kill it, and see which dead child's account it leaves open: that is among the workers."""
        fleet.kill_leaders()
        self.dead.append(fleet)
        workers = Worker.all(connection=self.one.server.client)
        self.unsettled |= {w.pid for w in workers if w.pid is not None and w.pid in self.kills}

    def losses(self) -> Iterator[str]:
        """What was not as it must be."""
        stamps = self.one.stamps
        if lost := self.jobs - stamps.done(self.jobs):
            yield f"{lost} jobs never ended"
        again = [job for job in stamps.done_again(self.jobs) if not self.excused(stamps.ends[job])]
        if again:
            yield f"{len(again)} jobs had ended and ran again"
        until = time.monotonic() + ORPHANS_GONE_WITHIN
        while orphans := [pid for fleet in self.dead for pid in fleet.pids()]:
            if time.monotonic() > until:
                yield f"{len(orphans)} children outlive their supervisor"
                return
            time.sleep(LOOK)

    def excused(self, end: float) -> bool:
        """Whether a child was killed before it could note that end, or report it where it must."""
        noted = NOTED_WITHIN + self.late
        reported = REPORTED_WITHIN + self._longest() + noted
        return any(
            end <= kill <= end + (reported if pid in self.unsettled else noted)
            for pid, kill in self.kills.items()
        )

    def _longest(self) -> float:
        """Seconds that a job took, which on a busy machine is more than it asks for."""
        stamps = self.one.stamps
        return max(
            end - start
            for start, end in zip(stamps.starts[: self.jobs], stamps.ends[: self.jobs], strict=True)
        )


@contextmanager
def _plain_rq_worker(one: Trial, wanted: bool) -> Iterator[None]:
    command = [sys.executable, "-m", "rq.cli", "worker", "default", "--quiet"]
    command += ["--url", one.server.url, "--serializer", "json"]
    fleet = Fleet([command] if wanted else [], one.environment, one.log)
    try:
        yield
    finally:
        fleet.stop()


if __name__ == "__main__":
    typer.run(main)
