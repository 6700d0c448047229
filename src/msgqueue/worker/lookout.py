"""How one idle child of a supervisor hears from Redis itself that there is work."""

from collections.abc import Sequence
from typing import Final

from msgqueue.connection import Source
from msgqueue.store.signals import Ear
from msgqueue.worker.journal import JournalWriter

IN_VAIN: Final = 3  # times that the queues may seem to have work and a claim finds none


class Lookout:
    """What a child hears by while it is on lookout: work need not go through its supervisor first.

    A queue that is suspended or set aside seems to have work that no claim finds. After a few
    such times only a change of the queues is heeded; the supervisor looks each second.

    Args:
        source: where the connection comes from; it is opened when the child is on lookout.
        queues: whose work counts.
        journal: says whether the supervisor wants this child on lookout, and is told when it is.
    """

    def __init__(self, source: Source, queues: Sequence[str], journal: JournalWriter) -> None:
        self._ear, self._journal = Ear(source, queues), journal
        self._in_vain = 0

    def sees_work(self) -> bool:
        """Look at the queues; from then on their next change is heard."""
        if not self._journal.on_lookout:
            self._ear.close()
            return False
        self._in_vain = self._in_vain + 1 if self._ear.ask() else 0
        return 0 < self._in_vain <= IN_VAIN

    def found(self) -> None:
        """A claim found work."""
        self._in_vain = 0

    def listen(self) -> Sequence[int]:
        """What becomes readable when the queues change; nothing where it is not on lookout."""
        ears = self._ear.filenos()
        self._journal.note_listening(bool(ears))
        return ears

    def pause(self) -> None:
        """The child goes to claim."""
        self._journal.note_listening(False)
