"""The tasks of the tests: a module that a worker can import."""

import enum
import time
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pydantic

from msgqueue import Retry, TaskQueue, current_job

queue = TaskQueue("redis://127.0.0.1:1", queues=("high", "default"))


class Colour(enum.Enum):
    RED = "red"
    BLUE = 7


@dataclass
class Line:
    article: uuid.UUID
    price: Decimal
    tags: set[str] = field(default_factory=set)


class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    number: int = pydantic.Field(alias="no")
    placed: datetime
    lines: list[Line] = []

    @pydantic.computed_field  # type: ignore[prop-decorator] # as pydantic's page says
    @property
    def size(self) -> int:
        return len(self.lines)


@queue.task
def charge(order: int, *, cents: int, note: str = "none") -> str:
    """Charge an order."""
    return f"{order}: {cents} ({note})"


@queue.task(name="ship-it", queue="high", timeout=30, retry=Retry(max=3, backoff=2.0))
def ship(order: Order, when: datetime, *rest: date, colour: Colour = Colour.RED) -> Order:
    return order.model_copy(update={"placed": when})


@queue.task
async def fetch(url: str) -> int:
    return len(url)


@queue.task
async def later(moment: datetime, by: timedelta) -> datetime:
    return moment + by


@queue.task
def anything(first: Any, *args: Any, **kwargs: Any) -> Any:
    return [first, list(args), kwargs]


@queue.task
def files(*parts: bytes, **named: bytes) -> bytes:
    return b"".join((*parts, *named.values()))


@queue.task
def fails(message: str) -> None:
    raise ValueError(message)


@queue.task
def sleeps(seconds: float) -> None:
    time.sleep(seconds)


@queue.task
def nothing() -> None: ...


FAILED: list[bool] = []  # filled by the first run of fails_once


@queue.task
def fails_once() -> str:
    if not FAILED:
        FAILED.append(True)
        raise ValueError("first time")
    return "second time"


@queue.task
def returns_a_set() -> Any:
    return {1, 2}


@queue.task
def returns_nonsense() -> datetime:
    return "no time"  # type: ignore[return-value] # on purpose


@queue.task
def steps(number: int) -> int:
    job = current_job()
    if job is not None:
        for step in range(number):
            job.update_meta({"step": step + 1})
    return number


@queue.task
async def async_steps(number: int) -> int:
    job = current_job()
    if job is not None:
        for step in range(number):
            await job.update_meta_async({"step": step + 1})
    return number


def plain(number: int) -> int:
    """Not a task."""
    return number
