"""One idle child of a supervisor hears of work from Redis itself."""

import multiprocessing
import select
import signal
from collections.abc import Iterator

import pytest
import redis
from tests.conftest import Eventually
from tests.worker.crew import Crew

from msgqueue.connection import Source
from msgqueue.store.signals import Ear
from msgqueue.worker.account import JournalReader
from msgqueue.worker.journal import Journal, JournalWriter
from msgqueue.worker.lookout import IN_VAIN, Lookout

QUEUES = ("high", "default")


@pytest.fixture
def ear(source: Source) -> Iterator[Ear]:
    ear = Ear(source, QUEUES)
    yield ear
    ear.close()


@pytest.fixture
def journal() -> Iterator[Journal]:
    journal = Journal(multiprocessing.get_context("fork"))
    yield journal
    journal.close()


def readable(ear: Ear | Lookout, timeout: float) -> bool:
    """Whether there is news within so many seconds."""
    fds = ear.filenos() if isinstance(ear, Ear) else ear.listen()
    return bool(select.select(fds, [], [], timeout)[0])


def listening(client: redis.Redis) -> int:
    """How many children wait for a change of the queues; a supervisor's connection speaks RESP2."""
    return sum(one["resp"] == "3" and one["cmd"] == "exists" for one in client.client_list())


@pytest.mark.parametrize("queue", QUEUES)
def test_an_ear_hears_a_push_to_any_queue_and_takes_nothing(
    ear: Ear, client: redis.Redis, queue: str
) -> None:
    assert not ear.ask()
    assert not readable(ear, 0)

    client.rpush(f"rq:queue:{queue}", "a")

    assert readable(ear, 5)
    assert ear.ask()
    assert not readable(ear, 0)
    assert client.llen(f"rq:queue:{queue}") == 1


def test_an_ear_whose_connection_was_lost_says_so_and_hears_again(
    ear: Ear, client: redis.Redis
) -> None:
    ear.ask()
    client.client_kill_filter(_type="normal", skipme=True)
    assert readable(ear, 5)
    ear.ask()  # meets the loss
    assert not ear.ask()

    client.rpush("rq:queue:default", "a")

    assert readable(ear, 5)


def test_news_that_come_with_the_answer_are_not_lost(ear: Ear, client: redis.Redis) -> None:
    ear.ask()
    assert ear._connection is not None
    ear._connection.send_command("EXISTS", "rq:queue:default")  # whose answer is read as the next's
    client.rpush("rq:queue:default", "a")
    client.delete("rq:queue:default")

    assert ear.ask()


def test_a_child_that_is_not_on_lookout_opens_no_connection(
    source: Source, client: redis.Redis, journal: Journal
) -> None:
    client.rpush("rq:queue:default", "a")
    lookout = Lookout(source, QUEUES, JournalWriter(journal))

    assert not lookout.sees_work()

    assert not lookout.listen()
    assert not JournalReader(journal).listening


def test_a_queue_in_which_no_claim_finds_work_is_believed_a_few_times(
    source: Source, client: redis.Redis, journal: Journal
) -> None:
    JournalReader(journal).post(True)
    client.rpush("rq:queue:default", "a")
    lookout = Lookout(source, QUEUES, JournalWriter(journal))

    assert [lookout.sees_work() for _ in range(IN_VAIN + 2)] == [True] * IN_VAIN + [False] * 2
    assert not readable(lookout, 0)
    assert JournalReader(journal).listening

    client.rpush("rq:queue:default", "b")
    assert readable(lookout, 5)
    lookout.found()
    assert lookout.sees_work()


def test_a_child_that_came_too_late_a_few_times_still_sees_work(
    source: Source, client: redis.Redis, journal: Journal
) -> None:
    JournalReader(journal).post(True)
    lookout = Lookout(source, QUEUES, JournalWriter(journal))
    for _ in range(IN_VAIN + 1):
        client.rpush("rq:queue:default", "a")
        assert lookout.sees_work()
        client.lpop("rq:queue:default")  # another child was quicker
        assert not lookout.sees_work()


def test_a_job_begins_without_the_help_of_the_supervisor(
    crew: Crew, eventually: Eventually
) -> None:
    supervisor = crew.start(processes=3)
    eventually(lambda: listening(crew.redis) == 1)
    supervisor.signal(signal.SIGSTOP)

    assert [crew.enqueue("add", n, 1).result(timeout=5) for n in range(5)] == [1, 2, 3, 4, 5]

    supervisor.signal(signal.SIGCONT)


def test_another_child_is_on_lookout_while_the_first_is_at_a_long_job(
    crew: Crew, eventually: Eventually
) -> None:
    supervisor = crew.start(processes=2)
    eventually(lambda: listening(crew.redis) == 1)
    long = crew.enqueue("sleep", 60)
    eventually(lambda: listening(crew.redis) == 2)  # that of the busy one stands, too
    supervisor.signal(signal.SIGSTOP)

    assert crew.enqueue("add", 2, 3).result(timeout=5) == 5

    supervisor.signal(signal.SIGCONT)
    long.cancel()
