"""How soon a job that was struck begins again: at once, or put off if it had been struck before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

#: Seconds for which a job's second death, and each later one, puts it off.
PUT_OFF: Final = 10.0, 20.0


@dataclass(slots=True)
class Run:
    """One run of a job, in seconds of the monotonic clock; `ended` is None for one that did not."""

    pid: int
    began: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Strike:
    """What killed or froze some processes; kind "machine" is supervisor and children at once."""

    kind: str
    at: float
    pids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds from a strike to the next begin of the job, its first strike or a further one.

    `late` is whether it is longer than the strikes allow.
    """

    first: float = 0.0
    later: float = 0.0
    late: bool = False


def waits_of(
    runs: Sequence[Run],
    struck: Callable[[Run], Strike | None],
    strikes: Sequence[Strike],
    recovered: float,
) -> Iterator[Wait]:
    """How long each further run of a job let wait.

    Args:
        runs: all of the job.
        struck: what kept a run from its end.
        strikes: all of the trial.
        recovered: seconds from the only strike of a job within which it begins again.
    """
    for number, (run, after) in enumerate(pairwise(runs)):
        strike = struck(run)
        if strike is None:
            continue
        span = after.began - strike.at
        if number == 0 and span <= recovered:
            yield Wait(first=span)
            continue
        least, most = 0.0 if number else PUT_OFF[0], recovered + PUT_OFF[1]
        unseen = [one.at for one in strikes if one is not strike and one.pids]
        deaths = _further_deaths(run, strike, unseen, recovered, second=number > 0)
        fit = [after.began - at for at in deaths if least <= after.began - at <= most]
        yield Wait(later=min(fit)) if fit else Wait(first=span, late=True)


def _further_deaths(
    run: Run, strike: Strike, unseen: Sequence[float], recovered: float, *, second: bool
) -> Iterator[float]:
    """When a job may have died for the second time, or a later one.

    A death of which no run tells (what had claimed the job was struck before it began) is as near
    to this one as the job was soon claimed again.

    Args:
        run: the run that was struck.
        strike: by what.
        unseen: when there were other strikes.
        recovered: as in `waits_of`.
        second: whether an earlier run was struck, too.
    """
    if second or any(run.began - recovered <= at <= run.began for at in unseen):
        yield strike.at
    yield from (at for at in unseen if strike.at < at <= strike.at + recovered)
