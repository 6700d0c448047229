"""A plain rq worker as an actor: it does what rq's does, and loses what rq's loses."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from tests.model import plain_commands
from tests.model.actors import Actor, Life, Wish
from tests.model.plain_commands import Run
from tests.model.wire import Link
from tests.model.workers import Plan, Port, Stage

from msgqueue.errors import RedisUnavailable
from msgqueue.store.steps import Step


class Books(Protocol):
    """Where it is noted what a plain worker has in its hands."""

    def popped(self, worker: "PlainWorker", job_id: str) -> None: ...
    def begins(self, run: Run) -> Plan: ...
    def ends(self, run: Run, kind: str) -> None: ...
    def put_down(self, run: Run) -> None: ...
    def let_go(self, names: Sequence[str]) -> None: ...
    def died(self, worker: "PlainWorker") -> None: ...


class PlainWorker(Actor):
    """One worker, with its work-horse: both die together.

    Like rq's it ends where Redis is away.

    Attributes:
        run: what it has popped, and not put down.
        prepared: whether the execution was noted.
        leaving: whether it is to end once it has nothing in its hands.
    """

    def __init__(self, stage: Stage, books: Books, number: int, queues: tuple[str, ...]) -> None:
        super().__init__(f"plain worker {number}", stage.time.clock)
        self._stage, self._books, self.queues = stage, books, queues
        self._name, self._runs = f"plain{number}", 0
        self._link = Link(Port(self.name, stage.wire))
        self.run: Run | None = None
        self.prepared = self.leaving = False

    def die(self) -> None:
        """The process is gone, whatever it was at."""
        if self.alive:
            super().die()
            self._link.close()
            self._books.died(self)

    def life(self) -> Life[None]:
        """The loop of a worker."""
        with suppress(RedisUnavailable):
            text = self._stage.time.text
            yield from self._call(plain_commands.register(self._name, self.queues, text))
            while not self.leaving:
                yield Wish(lambda: self.leaving or self._stage.has_work(self.queues))
                if not self.leaving:
                    yield from self._call(plain_commands.pop(self.queues, self._popped))
                if self.run is not None:
                    yield from self._work(self.run)

    def _popped(self, queue: str, job_id: str) -> None:
        self._runs += 1
        self.run = Run(self._name, queue, job_id, f"{self._name.encode().hex()}{self._runs:04x}")
        self.prepared = False
        self._books.popped(self, job_id)

    def _work(self, run: Run) -> Life[None]:
        time = self._stage.time
        yield from self._call(plain_commands.prepare(run, time.wall(), self._prepared))
        yield from self._call(plain_commands.start(run, time.text))
        plan = self._books.begins(run)
        yield self.wait(plan.seconds)
        good = plan.kind in ("ok", "none")
        self._books.ends(run, "ok" if good else "error")
        if good:
            yield from self._call(
                plain_commands.succeed(run, time.wall(), time.text, self._succeeded)
            )
        elif (
            yield from self._call(plain_commands.fail(run, time.wall(), time.text, self._put_down))
        ):
            yield from self._call(
                plain_commands.let_followers_go(run, time.text, self._books.let_go)
            )

    def _prepared(self) -> None:
        self.prepared = True

    def _succeeded(self, followers: Sequence[str]) -> None:
        self._books.let_go(followers)
        self._put_down()

    def _put_down(self) -> None:
        run, self.run = self.run, None
        if run is not None:
            self._books.put_down(run)

    def _call(self, step: Step[Any]) -> Life[Any]:
        self._link.send(step)
        yield Wish(lambda: self._link.ready)
        return self._link.receive(step)
