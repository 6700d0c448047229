"""What producers were told, what ran, and what was struck, kept in files outside Redis.

The verdict has the words of Jepsen's queue checker: attempted, acknowledged, ok, lost,
unexpected, duplicated, recovered; and "forgotten" for what Redis itself does not promise to keep.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Final

from tests.faults.lines import Lines, append
from tests.faults.recovery import Run, Strike, waits_of

from msgqueue.worker.exchange import BEGIN_WITHIN

#: Seconds before the death of a process and its supervisor within which an end may be unreported:
#: 50 ms of promise, the job that runs then, and what a loaded machine adds.
REPORT_WITHIN: Final = 0.25

#: The same before the death of a process alone: until the end is in its journal.
NOTE_WITHIN: Final = 0.02

#: Seconds from an answer of Redis until its producer has written it down.
TOLD_WITHIN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Lapse:
    """What Redis took in from `since` to `until` it does not promise to keep.

    A claim of that while binds nobody: its jobs may begin for some seconds more, and run again.

    Attributes:
        jobs: of which alone it did not keep all; None where that is not known.
    """

    since: float
    until: float
    jobs: frozenset[str] | None = None

    def concerns(self, key: str) -> bool:
        """Whether it may have kept less than all of this job."""
        return self.jobs is None or key in self.jobs

    def covers(self, moment: float) -> bool:
        """Whether what was acknowledged then may be forgotten."""
        return self.since <= moment <= self.until + TOLD_WITHIN

    def excuses(self, run: Run) -> bool:
        """Whether its claim or its report may be forgotten."""
        begun_in_time = run.began <= self.until + BEGIN_WITHIN
        reported_since = run.ended is None or run.ended >= self.since - REPORT_WITHIN
        return begun_in_time and (reported_since or self.jobs is not None)


#: What of a verdict is the longest of some spans.
LONGEST: Final = ("within", "again", "resumed")


@dataclass(frozen=True)
class Verdict:
    """What came of a trial.

    Attributes:
        attempted: jobs that a producer tried to enqueue.
        acknowledged: those whose `enqueue` returned.
        ok: the acknowledged ones that ran to their end.
        lost: the acknowledged ones that did not.
        forgotten: those that did not, and that Redis does not promise to have kept.
        unexpected: what ran and was never attempted.
        duplicated: those that began more than once.
        unexcused: those among them that nothing had struck.
        recovered: the struck ones that ran to their end afterwards.
        within: seconds from a job's only strike to the next begin, the longest.
        again: seconds from a further strike of a job to the next begin, the longest.
        late: those that began again later than their strikes allow.
        resumed: seconds from the return of Redis until work went on, the longest.
    """

    attempted: int = 0
    acknowledged: int = 0
    ok: int = 0
    lost: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    unexcused: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    recovered: int = 0
    within: float = 0.0
    again: float = 0.0
    late: tuple[str, ...] = ()
    resumed: float = 0.0

    def __add__(self, other: "Verdict") -> "Verdict":
        """Both trials taken together."""
        ours, others = asdict(self), asdict(other)
        added = {
            name: max(ours[name], others[name]) if name in LONGEST else ours[name] + others[name]
            for name in ours
        }
        return Verdict(**added)


@dataclass
class Books:
    """The books of one trial, read on whenever it is asked.

    Args:
        folder: where the files are; a new one for each trial.
    """

    folder: Path
    attempted: set[str] = field(default_factory=set)
    acknowledged: dict[str, float] = field(default_factory=dict)  # and when, by monotonic clock
    runs: dict[str, list[Run]] = field(default_factory=dict)
    strikes: list[Strike] = field(default_factory=list)
    noted: list[Lapse] = field(default_factory=list)
    seen: Callable[[], list[Lapse]] = list  # of those that somebody else watches

    def __post_init__(self) -> None:
        self._producers = Lines(self.folder / "producers")
        self._runs = Lines(self.folder / "runs")
        self._at_point = Lines(self.folder / "point")
        self._own_deaths = Lines(self.folder / "deaths")

    @property
    def environment(self) -> dict[str, str]:
        """What the processes of workers need, to write their part."""
        return {"RUNS": str(self._runs.path), "DEATHS": str(self._own_deaths.path)}

    def kill_at(self, point: str, nth: int = 1) -> dict[str, str]:
        """What makes the first process that passes a fault point for the n-th time die there."""
        return {"FAULTS": f"{point}:kill:{self._at_point.path}:{nth}"}

    def attempt(self, key: str) -> None:
        """A producer is about to enqueue this."""
        append(self._producers.path, "attempt", key, time.monotonic())

    def acknowledge(self, keys: Iterable[str]) -> None:
        """`enqueue` has returned for these."""
        for key in keys:
            append(self._producers.path, "acknowledge", key, time.monotonic())

    def strike(self, kind: str, pids: Iterable[int] = ()) -> None:
        """Something was done to these processes just now."""
        self.strikes.append(Strike(kind, time.monotonic(), frozenset(pids)))

    def lapse(self, since: float, jobs: frozenset[str] | None = None) -> None:
        """Redis need not have kept what it took in from then until now, or that of some jobs."""
        self.noted.append(Lapse(since, time.monotonic(), jobs))

    @property
    def lapses(self) -> list[Lapse]:
        """All that is known of what Redis need not have kept."""
        return [*self.noted, *self.seen()]

    def read(self) -> None:
        """Read on."""
        for word, key, told_at in self._producers.fresh():
            if word == "attempt":
                self.attempted.add(key)
            else:
                self.acknowledged[key] = float(told_at)
        for word, key, pid, at in self._runs.fresh():
            runs = self.runs.setdefault(key, [])
            if word == "begin":
                runs.append(Run(int(pid), float(at)))
            else:
                next(r for r in runs if r.pid == int(pid) and r.ended is None).ended = float(at)
        for kind, at, pid in (*self._at_point.fresh(), *self._own_deaths.fresh()):
            self.strikes.append(Strike(kind, float(at), frozenset([int(pid)])))

    def ended(self, key: str) -> bool:
        """Whether a run of it came to its end."""
        return any(run.ended is not None for run in self.runs.get(key, ()))

    @property
    def open(self) -> set[str]:
        """What was acknowledged, is not forgotten, and has not run to its end."""
        missing = {key: at for key, at in self.acknowledged.items() if not self.ended(key)}
        lapses = self.lapses if missing else []
        return {
            key
            for key, at in missing.items()
            if not any(one.concerns(key) and one.covers(at) for one in lapses)
        }

    def verdict(self, recovered: float = inf) -> Verdict:
        """What came of it until here.

        Args:
            recovered: seconds from the only strike of a job within which it begins again.
        """
        self.read()
        ended = {key for key in self.runs if self.ended(key)}
        repeats = {key: runs for key, runs in self.runs.items() if len(runs) > 1}
        lapses, missing = self.lapses, self.open
        waits = [
            (key, one)
            for key, runs in repeats.items()
            for one in waits_of(runs, self._struck, self.strikes, recovered)
        ]
        return Verdict(
            attempted=len(self.attempted),
            acknowledged=len(self.acknowledged),
            ok=len(self.acknowledged.keys() & ended),
            lost=tuple(sorted(missing)),
            forgotten=tuple(sorted(self.acknowledged.keys() - ended - missing)),
            unexpected=tuple(sorted(self.runs.keys() - self.attempted)),
            duplicated=tuple(sorted(repeats)),
            unexcused=tuple(
                sorted(key for key, runs in repeats.items() if not self._excused(key, runs, lapses))
            ),
            recovered=sum(
                1 for key in repeats if key in ended and self._excused(key, repeats[key], lapses)
            ),
            within=max((one.first for _, one in waits), default=0.0),
            again=max((one.later for _, one in waits), default=0.0),
            late=tuple(sorted({key for key, one in waits if one.late})),
        )

    def _excused(self, key: str, runs: list[Run], lapses: Sequence[Lapse]) -> bool:
        """Whether each run but the last was struck before the next began, or forgotten by Redis."""
        lapses = [lapse for lapse in lapses if lapse.concerns(key)]
        return all(
            any(lapse.excuses(run) for lapse in lapses)
            or ((strike := self._struck(run)) is not None and strike.at <= after.began + 0.05)
            for run, after in pairwise(runs)
        )

    def _struck(self, run: Run) -> Strike | None:
        """What kept a run from its end, or from being reported."""
        for strike in self.strikes:
            if run.pid not in strike.pids or strike.at < run.began - 0.05:
                continue
            spared = REPORT_WITHIN if strike.kind == "machine" else NOTE_WITHIN
            if run.ended is None or strike.at - run.ended < spared:
                return strike
        return None
