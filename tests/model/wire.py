"""The network between actors and Redis: each call is sent, carried out and answered, or not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from msgqueue.errors import RedisError, RedisUnavailable
from msgqueue.store.steps import Step


@dataclass(eq=False)
class Call:
    """One sending of a step.

    Attributes:
        number: counts the calls of a run.
        sender: whose it is.
        step: what is asked for.
        link: over which it was sent; None once the sender has given it up.
        done: whether Redis has carried it out.
        answer: what Redis said.
    """

    number: int
    sender: str
    step: Step[Any]
    link: "Link | None"
    done: bool = False
    answer: Any = None

    def __str__(self) -> str:
        return f"{self.number} {self.step.script.name} of {self.sender}"


class Wire:
    """All calls under way.

    Args:
        execute: has Redis carry out the step of a call.
        sent: is told of each call.

    Attributes:
        up: whether Redis can be reached.
        calls: those under way.
        count: how many there were.
    """

    def __init__(self, execute: Callable[[Call], Any], sent: Callable[[Call], None] | None) -> None:
        self._execute, self._sent = execute, sent
        self.count = 0
        self.up = True
        self.calls: list[Call] = []

    def send(self, sender: str, link: "Link | None", step: Step[Any]) -> Call:
        """A call goes out."""
        if not self.up:
            raise RedisUnavailable("the simulation", "it is down")
        self.count += 1
        call = Call(self.count, sender, step, link)
        self.calls.append(call)
        if self._sent is not None:
            self._sent(call)
        return call

    def execute(self, call: Call) -> None:
        """Redis carries a call out. Once more, for a copy."""
        try:
            call.answer = self._execute(call)
        except RedisError as error:
            call.answer = error
        call.done = True
        if call.link is None:
            self.calls.remove(call)  # a copy, or nobody waits any more

    def answer(self, call: Call) -> None:
        """The answer reaches its sender."""
        self.calls.remove(call)
        if call.link is not None:
            call.link.ready = True

    def cut(self, call: Call, *, stray: bool = False) -> None:
        """The connection breaks. A stray call is still carried out some time."""
        if call.link is not None:
            call.link.broken = call.link.ready = True
            call.link = None
        if (not stray or call.done) and call in self.calls:
            self.calls.remove(call)

    def copy(self, call: Call) -> Call:
        """A second copy of a call is under way, whose answer nobody waits for."""
        self.count += 1
        copy = Call(self.count, call.sender, call.step, None)
        self.calls.append(copy)
        return copy

    def drop(self, call: Call) -> None:
        """Its sender waits for it no longer; what is under way goes on."""
        call.link = None
        if call.done and call in self.calls:
            self.calls.remove(call)


class Port(Protocol):
    """Where a link is plugged in: whose it is, and the wire."""

    @property
    def name(self) -> str: ...

    @property
    def wire(self) -> Wire: ...


class Link:
    """Stands where `store.link.Link` does: sends a step, and is asked for the answer once `ready`.

    Attributes:
        ready: whether an answer, or the loss of the connection, can be read.
        broken: whether the connection was lost.
    """

    def __init__(self, port: Port, *, brisk: bool = False) -> None:
        del brisk  # scripts do not travel over this wire
        self._port = port
        self._call: Call | None = None
        self.ready = self.broken = False

    def send(self, step: Step[Any]) -> None:
        """Send a step."""
        self.ready = self.broken = False
        self._call = self._port.wire.send(self._port.name, self, step)

    def receive(self, _step: Step[Any]) -> Any:
        """What was answered."""
        call, self._call = self._call, None
        self.ready = False
        if call is None or self.broken:
            raise RedisUnavailable("the simulation", "the connection was lost")
        if isinstance(call.answer, RedisError):
            raise call.answer
        return call.answer

    def close(self) -> None:
        """Wait for nothing any more."""
        call, self._call = self._call, None
        self.ready = False
        if call is not None:
            self._port.wire.drop(call)

    def fileno(self) -> int | None:
        """Nothing to select on."""
        return None
