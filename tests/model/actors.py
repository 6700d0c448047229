"""What acts in a run: each a generator that does one thing, says what it waits for, and is resumed.

Children, supervisors and upkeep are the product's own parts, over a wire and clocks of the test's;
only processes, pipes and the loops around them are played.
"""

from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any, NamedTuple, TypeVar

from tests.model.wire import Link

from msgqueue.errors import RedisError, RedisUnavailable
from msgqueue.store.run import RETRY_FOR
from msgqueue.store.steps import Step

R = TypeVar("R")
NEVER = float("inf")


class Wish(NamedTuple):
    """What an actor waits for: a condition, or a moment of its clock, whichever comes first."""

    met: Callable[[], bool]
    at: float = NEVER


Life = Generator[Wish, None, R]


class Actor:
    """Something that acts when it is resumed.

    Attributes:
        name: for messages.
        alive: whether its process runs.
        frozen: whether its process is stopped; it will go on.
        wish: what it waits for.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name, self.clock = name, clock
        self.alive, self.frozen = True, False
        self._life: Life[None] | None = None
        self.wish = Wish(lambda: True)

    def life(self) -> Life[None]:
        """What it does."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether it may be resumed."""
        return self.alive and not self.frozen and (self.wish.met() or self.clock() >= self.wish.at)

    def resume(self) -> None:
        """Go on to the next thing to wait for."""
        if self._life is None:
            self._life = self.life()
        try:
            self.wish = next(self._life)
        except StopIteration:
            self.die()

    def die(self) -> None:
        """The process is gone, whatever it was at."""
        self.alive = False
        if isinstance(self._life, GeneratorType) and not self._life.gi_running:
            self._life.close()

    def wait(self, seconds: float) -> Wish:
        """The wish to be resumed so much later."""
        return Wish(lambda: False, self.clock() + seconds)


def ask(
    actor: Actor, link: Link, step: Step[R], pause: float = 0.05, until: float = NEVER
) -> Life[R]:
    """Send a step again and again until it is answered, as every sender of ours does.

    Raises:
        RedisUnavailable: it was not answered until then.
    """
    while True:
        try:
            link.send(step)
            yield Wish(lambda: link.ready, actor.clock() + 3)
            if not link.ready:
                link.close()
                raise RedisUnavailable("the simulation", "no answer")
            answer: R = link.receive(step)
        except RedisUnavailable:
            if actor.clock() >= until:
                raise
            yield actor.wait(pause)
        else:
            return answer


class Client(Actor):
    """A process that calls steps, one after the other, as long as it is told to."""

    def __init__(self, name: str, clock: Callable[[], float], link: Link) -> None:
        super().__init__(name, clock)
        self._link = link
        self._tasks: list[tuple[Step[Any], Callable[[Any], None]]] = []

    def tell(self, step: Step[R], then: Callable[[R | None], None]) -> None:
        """Have a step called; `then` hears the answer, None if there was none."""
        self._tasks.append((step, then))

    @property
    def idle(self) -> bool:
        """Whether all is done."""
        return not self._tasks

    def life(self) -> Life[None]:
        """Call what is to be called, for as long as the product's callers try."""
        while True:
            yield Wish(lambda: bool(self._tasks))
            step, then = self._tasks[0]
            answer = None
            try:
                answer = yield from ask(self, self._link, step, 0.02, self.clock() + RETRY_FOR)
            except RedisError:
                pass  # whether it was done is not known
            self._tasks.pop(0)
            then(answer)
