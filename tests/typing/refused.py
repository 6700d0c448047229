"""What a type checker must refuse: mypy calls an ignore that it does not need an error."""

from msgqueue import Job, TaskQueue

queue = TaskQueue("redis://localhost")


@queue.task
def charge(order: int, *, cents: int = 5) -> str:
    return f"{order}: {cents}"


@queue.task
async def fetch(url: str) -> int:
    return len(url)


def arguments_of_another_type() -> None:
    charge.enqueue("seven")  # type: ignore[arg-type] # refused
    charge.spec("seven")  # type: ignore[arg-type] # refused
    fetch.enqueue(7)  # type: ignore[arg-type] # refused


async def and_so_in_the_twin() -> None:
    await charge.enqueue_async("seven")  # type: ignore[arg-type] # refused


def arguments_that_are_missing_or_too_many() -> None:
    charge.enqueue()  # type: ignore[call-arg] # refused
    charge.enqueue(7, 8)  # type: ignore[call-arg] # refused
    charge.enqueue(7, job_timeout=60)  # type: ignore[call-arg] # refused


def arguments_through_the_queue() -> None:
    queue.enqueue(charge, "seven")  # type: ignore[call-overload] # refused


def options_that_do_not_exist() -> None:
    charge.options(job_timeout=60)  # type: ignore[call-arg] # refused
    charge.options(timeout="60")  # type: ignore[arg-type] # refused
    queue.task(tiemout=60)  # type: ignore[call-overload] # refused


def a_result_of_another_type() -> None:
    wrong: Job[int] = charge.enqueue(7)  # type: ignore[assignment] # refused
    wrong.refresh()


def a_coroutine_that_nobody_awaits() -> None:
    length: int = fetch("x")  # type: ignore[assignment] # refused
    length.bit_length()
