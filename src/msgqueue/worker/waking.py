"""Which idle children of a supervisor are woken for work, and which one hears of it by itself."""

from collections.abc import Callable
from typing import Final

from msgqueue.store.signals import Signal, Wakeup
from msgqueue.worker.crowd import Crowd
from msgqueue.worker.fleet import Fleet
from msgqueue.worker.process import ChildProcess
from msgqueue.worker.shared import NEVER, clock

POST_EVERY: Final = 1.0  # seconds between two looks whether a child is on lookout
ENGAGED: Final = 0.01  # seconds after which another child takes over the lookout of a busy one
AGAIN: Final = 0.001  # seconds that woken children get to claim before more are woken


class Waking:
    """Wakes one idle child, then twice as many each time, while there is work for more.

    Args:
        fleet: the children.
        wakeup: what says that there is work.
        crowd: says how long to wait where many supervisors hear of the same.
        busy: called when children have begun, who are to be looked at soon.
    """

    def __init__(
        self, fleet: Fleet, wakeup: Wakeup, crowd: Crowd, busy: Callable[[], None]
    ) -> None:
        self._fleet, self._wakeup, self._crowd, self._busy = fleet, wakeup, crowd, busy
        self._count = 1
        self._empty_handed = 0
        self._post_at = 0.0
        self._wake_at = self._look_again_at = NEVER

    @property
    def wants_at(self) -> float:
        """Clock time at which `go` has something to do."""
        return min(self._post_at, self._wake_at, self._look_again_at)

    def go(self) -> None:
        """Do what is due."""
        now = clock()
        if now >= self._post_at:
            self._post_lookout()
        if now >= self._wake_at:
            self._wake_at = NEVER
            self._changed()
        if now >= self._look_again_at:
            self._look_again()

    def hear(self, heard: Signal) -> None:
        """Redis says that there is work, or that the queues have changed."""
        if heard.kind == "work":
            self._wake()
        elif pause := self._crowd.pause():
            self._wake_at = clock() + pause
        else:
            self._changed()

    def roused(self, child: ChildProcess) -> None:
        """The child on lookout has heard of work: watch it, and soon have another on lookout."""
        self._busy()
        if self._fleet.idle:
            self._post_at = clock() + ENGAGED
            if child.bell.plenty:
                self._look_soon()

    def came_back(self, child: ChildProcess, got: bool) -> None:
        """A child is idle again, or half of it is; whether it got any work."""
        if child.on_lookout and child.bell.idle:  # no other need be posted
            self._post_at = clock() + POST_EVERY
        self._empty_handed = 0 if got else self._empty_handed + 1
        self._count = 1
        # Where children find nothing in queues that are not empty, they are paused, or suspended:
        # only a change or the next look wakes them then.
        if not self._watched and self._empty_handed < 2 * len(self._fleet.children) + 3:
            self._wakeup.arm()

    def _post_lookout(self) -> None:
        """Have an idle child on lookout, if there is any."""
        self._post_at = clock() + POST_EVERY
        idle = self._fleet.idle
        if self._wakeup.tracking and idle and not any(child.on_lookout for child in idle):
            for child in self._fleet.living:
                if child.on_lookout:
                    child.post(False)
            idle[0].post(True)

    @property
    def _posted(self) -> bool:
        """Whether a child is on lookout, at work though it may be."""
        return any(child.on_lookout for child in self._fleet.living)

    @property
    def _watched(self) -> bool:
        """Whether a child hears of work from Redis itself."""
        return any(child.listening for child in self._fleet.living)

    def _look_again(self) -> None:
        """Look whether there is work for others, unless a child has taken that over."""
        self._look_again_at = NEVER
        if not self._watched:
            self._wakeup.arm()

    def _look_soon(self) -> None:
        self._look_again_at = clock() + AGAIN

    def _changed(self) -> None:
        self._empty_handed = 0
        if self._posted or self._look_again_at < NEVER:
            self._look_soon()  # whoever is on lookout heard it, too
        else:
            self._wake()

    def _wake(self) -> None:
        if not self._fleet.wake(self._count):
            return
        self._count *= 2
        self._busy()
        if self._fleet.idle:  # there may be work for more
            self._look_soon()
