"""A process that enqueues jobs, and writes down each before it asks and once it was answered."""

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults import app
from tests.faults.ledger import Books

from msgqueue import JobSpec
from msgqueue.connection import Source
from msgqueue.errors import QueueFull, RedisUnavailable

REFUSED_FOR = 0.05  # seconds until it tries the next one


@dataclass(frozen=True)
class Order:
    """What a producer is to enqueue.

    Attributes:
        name: begins the keys, so that each producer's are its own.
        count: how many jobs.
        seed: decides their queues, kinds and lengths.
        seconds: that a job takes at most.
        naps: the share of coroutines among them.
        delayed: the share of jobs that are due within a second.
        together: how many jobs one call may enqueue.
        pause: seconds between two calls.
        kept: seconds for which results are kept; None for the default.
    """

    name: str
    count: int
    seed: int
    seconds: float = 0.02
    naps: float = 0.25
    delayed: float = 0.1
    together: int = 20
    pause: float = 0.0
    kept: int | None = None

    def calls(self) -> Iterator[list[JobSpec]]:
        """The jobs, as many together as one call enqueues."""
        choice = random.Random(self.seed)
        number = 0
        while number < self.count:
            together = choice.choice((1, 1, 1, self.together))
            last = min(number + together, self.count)
            yield [self._job(f"{self.name}-{n}", choice) for n in range(number, last)]
            number = last

    def _job(self, key: str, choice: random.Random) -> JobSpec:
        task = app.nap if choice.random() < self.naps else app.work
        delay = choice.random() if choice.random() < self.delayed else None
        options = task.options(
            queue=choice.choice(app.QUEUES), job_id=key, delay=delay, result_ttl=self.kept
        )
        return options.spec(key, round(choice.uniform(0, self.seconds), 4))


def produce(url: str, folder: Path, order: Order) -> None:
    """Enqueue all of an order; what was refused is left for good."""
    books = Books(folder)
    with app.queue.diverted(Source(url)):
        for specs in order.calls():
            for spec in specs:
                books.attempt(spec.id)
            try:
                done = app.queue.enqueue_many(specs)
            except (RedisUnavailable, QueueFull):
                time.sleep(REFUSED_FOR)  # what a caller does who was refused
            else:
                books.acknowledge(job.id for job in done)
            time.sleep(order.pause)  # the pace of the order
    os._exit(0)
