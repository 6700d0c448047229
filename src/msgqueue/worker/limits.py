"""The time limit of the job that runs in a child's main thread."""

import math
import signal
from types import FrameType

from msgqueue.worker.shared import clock


class JobTimeout(BaseException):
    """A job ran longer than it may. No `except Exception` of the job's own code swallows it."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        super().__init__(timeout_text(timeout))


def timeout_text(timeout: float) -> str:
    """What is told of a job that ran too long."""
    return f"the job ran longer than its time limit of {timeout:g} s"


class SupervisorLost(BaseException):
    """The child's supervisor died, and the job's lease is running out."""


class TimeLimit:
    """Raises in the main thread when the deadline of its job passes.

    Setting a timer costs a system call, so it is set only for a deadline that comes before the
    one it is set for; a timer that rings too early sets itself again.
    """

    def __init__(self) -> None:
        self._deadline = math.inf
        self._timeout = 0.0
        self._error: BaseException | None = None
        self._rings_at = math.inf
        self._lost = False
        signal.signal(signal.SIGALRM, self._ring)

    def start(self, now: float, timeout: float, error: BaseException | None = None) -> None:
        """A job begins; -1 is no limit. Where it is broken `error` is raised, else a JobTimeout."""
        if timeout <= 0:
            return
        self._timeout, self._error = timeout, error
        self._deadline = deadline = now + timeout
        if deadline < self._rings_at:
            self._set_timer(now, deadline)

    def stop(self) -> None:
        """The job has ended."""
        self._deadline = math.inf

    def restart(self) -> None:
        """Somebody else has used the timer: set it anew when it is needed next."""
        self._rings_at = math.inf
        signal.setitimer(signal.ITIMER_REAL, 0)

    def end_by(self, deadline: float) -> None:
        """The supervisor is lost: whatever runs must end by then."""
        self._lost = True
        self._deadline = min(self._deadline, deadline)
        self._set_timer(clock(), self._deadline)

    def _set_timer(self, now: float, deadline: float) -> None:
        self._rings_at = deadline
        signal.setitimer(signal.ITIMER_REAL, max(deadline - now, 0.001))

    def _ring(self, _signal: int, _frame: FrameType | None) -> None:
        self._rings_at = math.inf
        deadline = self._deadline
        if deadline == math.inf:
            return
        now = clock()
        if now < deadline:
            self._set_timer(now, deadline)
            return
        self._deadline = math.inf
        raise SupervisorLost if self._lost else self._error or JobTimeout(self._timeout)
