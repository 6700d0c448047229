"""How many children there should be: more while jobs wait too long, fewer when nobody needs them.

A pure function of what is seen. Supervisors on several machines decide each for itself, by the
same queues: there is no leader.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgqueue.errors import ConfigurationError

WAIT_TARGET: Final = 1.0  # seconds that the oldest job may wait
QUIET: Final = 30.0  # seconds for which children must not have been needed before they go
MOST_CHARACTERS: Final = 20  # of a range on a command line; Python reads no number without end

Processes = int | Sequence[int]  # a number, or the lowest and the highest


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which numbers children are scaled.

    Attributes:
        low: the lowest number.
        high: the highest number; the same as `low` where nothing is scaled.
        wait_target: seconds that the oldest job may wait before there are more.
    """

    low: int
    high: int
    wait_target: float = WAIT_TARGET


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation.

    Attributes:
        at: when, in seconds of any clock.
        waited: for how many seconds the oldest job has waited.
        busy: how many children have something to do; those that are still starting have not.
    """

    at: float
    waited: float
    busy: int


@dataclass(frozen=True, slots=True)
class Course:
    """What was decided, and what the next decision builds on.

    Attributes:
        wanted: how many children there should be.
        pressed_at: when a job last had waited for too long; there are no fewer for a while then.
        recent: what was seen during the last quiet while.
        why: the reason of a change; "" where nothing changed.
    """

    wanted: int
    pressed_at: float
    recent: tuple[Seen, ...] = ()
    why: str = ""


def decide(bounds: Bounds, course: Course, seen: Seen) -> Course:
    """What an observation changes.

    While a job waits longer than the target and all children are busy there are half as many
    more, at least one. Once none did for a while, there are as many as were busy at once in it.
    """
    recent = (*(one for one in course.recent if one.at > seen.at - QUIET), seen)
    if seen.waited > bounds.wait_target:
        more = max(1, course.wanted // 2) if seen.busy >= course.wanted else 0
        wanted = min(bounds.high, course.wanted + more)
        why = f"the oldest job has waited {seen.waited:.1f} s and all {course.wanted} are busy"
        return Course(wanted, seen.at, recent, why if wanted > course.wanted else "")
    if seen.at < course.pressed_at + QUIET:
        return Course(course.wanted, course.pressed_at, recent)
    most = max(one.busy for one in recent)
    wanted = max(bounds.low, min(course.wanted, most))
    why = f"at most {most} were busy for {QUIET:.0f} s"
    return Course(wanted, course.pressed_at, recent, why if wanted < course.wanted else "")


def bounds_of(processes: Processes, wait_target: float = WAIT_TARGET) -> Bounds:
    """The bounds that a number of processes or a range of it means.

    Raises:
        ConfigurationError: it makes no sense.
    """
    numbers = [processes] if isinstance(processes, int) else list(processes)
    fitting = len(numbers) in (1, 2) and all(type(n) is int and n >= 1 for n in numbers)
    if not fitting or numbers != sorted(numbers):
        raise ConfigurationError(
            f"processes={processes!r} cannot be used: give 1 or more, or a range such as (2, 8)"
        )
    if not wait_target > 0:
        raise ConfigurationError(f"wait_target={wait_target} cannot be used: give seconds above 0")
    return Bounds(numbers[0], numbers[-1], wait_target)


def parse(text: str) -> int | tuple[int, int]:
    """A number of processes from the command line: `4`, or `2-8`.

    Raises:
        ConfigurationError: it is neither.
    """
    low, dash, high = text.partition("-")
    short = len(text) <= MOST_CHARACTERS
    if short and low.isdecimal() and (high.isdecimal() or not dash):
        return (int(low), int(high)) if dash else int(low)
    raise ConfigurationError(f"--processes {text}: give a number, 4, or a range, 2-8")
