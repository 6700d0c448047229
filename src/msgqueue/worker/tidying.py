"""When a child looks how closely whether a job has left something behind."""

from collections.abc import Callable

from msgqueue.worker.execution import Call
from msgqueue.worker.hygiene import LONG, Hygiene, Unclean

Leave = Callable[[str, bool], None]


class Tidying:
    """Has the next job find the process as it was, or none begin here.

    Args:
        hygiene: looks, and puts back.
        leave: called with why no job may begin here any more, and whether the process has to end
            at once.

    Attributes:
        owed: whether a coroutine may have left something behind that nobody has looked for.
    """

    def __init__(self, hygiene: Hygiene, leave: Leave) -> None:
        self._hygiene, self._leave = hygiene, leave
        self._known: set[str] = set()  # names of the tasks that left nothing behind
        self.owed = False

    def tidy(self, *, closely: bool = False) -> bool:
        """Put back what has changed; whether nothing had."""
        self.owed = False
        try:
            return not self._hygiene.look(closely=closely)
        except Unclean as left:
            self._leave(f"a job cannot be cleaned up after: {left}", left.broken)
            return False

    def after(self, call: Call | None, seconds: float) -> None:
        """Look closely after long jobs, and until a task was seen to leave nothing behind."""
        name = call.task.name if call else ""
        is_new = name not in self._known
        if self.tidy(closely=is_new or seconds > LONG) and is_new:
            self._known.add(name)
