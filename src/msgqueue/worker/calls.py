"""Asks Redis one step after the other without blocking the supervisor's loop."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from msgqueue.connection import Source
from msgqueue.errors import RedisError, RedisUnavailable
from msgqueue.observe.faults import fault_point
from msgqueue.observe.logs import event
from msgqueue.store.link import Link
from msgqueue.store.run import spread
from msgqueue.store.steps import Step
from msgqueue.worker.shared import NEVER, clock

ANSWER_WITHIN: Final = 3.0  # seconds; then the connection is given up
PAUSES: Final = (0.1, 2.0)  # seconds between two tries, the first and the longest

R = TypeVar("R")
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Question:
    make: Callable[[], Step[Any]]
    then: Callable[[Any], None]
    step: Step[Any] | None = None


class Calls:
    """A queue of steps on one connection. Each is asked again until it is answered.

    So every step asked here must be one whose repeat changes nothing. A step is made when it
    is sent, so that what it says is fresh at each try. One that Redis refuses, other than all
    the rest, goes behind them.

    Args:
        source: where Redis is.
        back: called when Redis answers again after it was away.
    """

    def __init__(self, source: Source, back: Callable[[], None] | None = None) -> None:
        self._link = Link(source, brisk=True)
        self._waiting: deque[_Question] = deque()
        self._asked: _Question | None = None
        self._give_up_at = self._try_at = 0.0
        self._pause = PAUSES[0]
        self._back = back
        self._refusal = ""
        self.away = False

    def ask(self, make: Callable[[], Step[R]], then: Callable[[R], None]) -> None:
        """Have a step asked, and `then` called with its answer."""
        self._waiting.append(_Question(make, then))
        self.go()

    @property
    def idle(self) -> bool:
        """Whether every step has been answered."""
        return self._asked is None and not self._waiting

    def fileno(self) -> int | None:
        """What to wait for while a step is under way; None while none is."""
        return self._link.fileno() if self._asked else None

    @property
    def wants_at(self) -> float:
        """Clock time at which `go` has something to do though nothing came."""
        if self._asked:
            return self._give_up_at
        return self._try_at if self._waiting else NEVER

    def go(self) -> None:
        """Send the next step, or give up the one that is not answered."""
        now = clock()
        if self._asked:
            if now >= self._give_up_at:
                self._lost(f"no answer within {ANSWER_WITHIN:g} s")
            return
        if not self._waiting or now < self._try_at:
            return
        question = self._waiting[0]
        question.step = question.make()
        try:
            self._link.send(question.step)
        except RedisError as error:
            self._failed(error)
            return
        fault_point(f"{question.step.script.name}.sent")
        self._asked, self._give_up_at = question, now + ANSWER_WITHIN

    def receive(self) -> None:
        """The answer can be read."""
        question = self._asked
        if question is None or question.step is None:
            return
        try:
            answer = self._link.receive(question.step)
        except RedisError as error:
            self._failed(error)
            return
        fault_point(f"{question.step.script.name}.answered")
        self._waiting.popleft()
        self._asked, self._pause = None, PAUSES[0]
        if self.away:
            self.away = False
            event(logger, "redis is back")
            if self._back:
                self._back()
        question.then(answer)
        self.go()

    def close(self) -> None:
        """Close the connection; what is not answered is forgotten."""
        self._link.close()
        self._waiting.clear()
        self._asked = None

    def _failed(self, error: RedisError) -> None:
        if isinstance(error, RedisUnavailable):
            self._lost(error.reason)
        else:
            self._refused(str(error))

    def _lost(self, reason: str) -> None:
        self._link.close()
        if not self.away:
            self.away = True
            event(logger, "redis is away", level=logging.WARNING, reason=reason)
        self._try_later()

    def _refused(self, reason: str) -> None:
        """It may be refused for ever: the others must not wait for it."""
        if self._refusal != reason:
            self._refusal = reason
            event(logger, "redis refuses", level=logging.ERROR, reason=reason)
        self._waiting.rotate(-1)
        self._try_later()

    def _try_later(self) -> None:
        self._asked = None
        self._try_at = clock() + spread(self._pause)
        self._pause = min(self._pause * 2, PAUSES[1])
