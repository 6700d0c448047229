"""Promise 8 where there is no room: in the memory of Redis, on its disk, for one large result."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.faults import app
from tests.faults.conftest import Judge, OwnRedis, Trials
from tests.faults.disks import Disk, limited_file, tmpfs
from tests.faults.servers import ALWAYS, EVERY_SECOND, Server
from tests.faults.trial import Trial
from tests.faults.work import Work
from tests.patience import wait_until

from msgqueue import JobFailed, JobStatus, QueueFull
from msgqueue.errors import RedisUnavailable

AtWork = tuple[Server, Trial, Work]
OnDisk = Callable[..., AtWork]

DISKS = [
    pytest.param(limited_file, id="a limited file"),
    pytest.param(tmpfs, id="a small tmpfs", marks=pytest.mark.faults),
]


@pytest.fixture
def disk(request: pytest.FixtureRequest, short_path: Path) -> Iterator[Disk]:
    """The disk of a server whose folder is "disk", of the kind that the test names."""
    with request.param(short_path / "disk") as disk:
        yield disk


@pytest.fixture
def on_disk(disk: Disk, trials: Trials, own_redis: OwnRedis, short_path: Path) -> OnDisk:
    """`on_disk(*options)` has work done on a Redis with these options that writes to the disk."""

    def start(*options: str) -> AtWork:
        server = own_redis(*options, folder=short_path / "disk", within=disk.within)
        trial = trials(server.url)
        return server, trial, Work(trial, 600)

    return start


def test_promise_8_a_full_memory_takes_no_job_and_all_that_it_has_end(
    trials: Trials, judge: Judge, own_redis: OwnRedis
) -> None:
    server = own_redis(*ALWAYS)
    trial = trials(server.url)
    work = Work(trial, 300)

    server.client().config_set("maxmemory", 1)
    trial.books.strike("full")
    with pytest.raises(QueueFull):
        trial.enqueue("work", "refused", expected=False)
    wait_until(trial.at_rest, 60)
    assert trial.books.verdict().acknowledged > 20

    server.client().config_set("maxmemory", 0)
    trial.produce(100)
    assert judge("F10 all ends while Redis is full", trial).duplicated == ()
    assert work.same_workers()


@pytest.mark.parametrize("disk", DISKS, indirect=True)
def test_promise_8_a_full_disk_loses_nothing_where_redis_stays(
    judge: Judge, disk: Disk, on_disk: OnDisk
) -> None:
    """With `everysec` Redis refuses writes (MISCONF) until it could write again."""
    server, trial, work = on_disk(*EVERY_SECOND)

    disk.fill(server)
    wait_until(lambda: refuses_writes(server), 20)
    trial.books.strike("disk full")
    with pytest.raises(RedisUnavailable, match="MISCONF"):
        trial.enqueue("work", "refused", expected=False)
    disk.empty(server)

    assert judge("F11 disk full, everysec", trial, within=60).duplicated == ()
    assert work.same_workers()


@pytest.mark.faults
@pytest.mark.parametrize("disk", DISKS, indirect=True)
def test_promise_1_a_full_disk_loses_nothing_where_redis_ends(
    judge: Judge, disk: Disk, on_disk: OnDisk
) -> None:
    """With `always` Redis ends rather than to answer for what it could not write."""
    server, trial, work = on_disk(*ALWAYS)

    disk.fill(server)
    wait_until(lambda: not server.alive, 20)
    trial.books.strike("disk full")
    disk.empty(server)
    server.start()

    assert judge("F11 disk full, always", trial, within=60).duplicated == ()
    assert work.same_workers()


@pytest.mark.faults
@pytest.mark.parametrize("disk", DISKS, indirect=True)
def test_a_redis_that_is_killed_while_its_disk_is_full_forgets_what_it_could_not_write(
    judge: Judge, disk: Disk, on_disk: OnDisk
) -> None:
    """With `everysec` it has answered for the writes before the one that found the disk full."""
    server, trial, _ = on_disk(*EVERY_SECOND)

    since = time.monotonic()
    disk.fill(server)
    wait_until(lambda: refuses_writes(server), 20)
    server.end()
    trial.books.strike("disk full")
    trial.books.lapse(since)
    disk.empty(server)
    server.start()

    judge("F11 disk full, everysec, and kill -9", trial, within=60)
    assert all(one.alive for one in trial.supervisors)


def refuses_writes(server: Server) -> bool:
    """Whether it could not write what it took in."""
    status = server.client().info("persistence")["aof_last_write_status"]
    return bool(status == "err")


def test_a_result_that_is_too_large_for_redis_fails_its_job_and_no_other(
    trials: Trials, judge: Judge, own_redis: OwnRedis
) -> None:
    server = own_redis(*ALWAYS, "--proto-max-bulk-len", "1mb")
    trial = trials(server.url)
    trial.start(processes=1)
    trial.enqueue("noise", "fits", 300_000)
    trial.enqueue("noise", "large", 4_000_000)
    trial.enqueue("nap_noise", "large-coroutine", 4_000_000)
    for number in range(50):
        trial.enqueue("work", f"job-{number}")

    assert judge("results too large for Redis", trial).duplicated == ()
    assert trial.status("fits") is JobStatus.FINISHED
    for key in ("large", "large-coroutine"):
        with trial.speaking(), pytest.raises(JobFailed, match="ValueTooLarge"):
            app.queue.job(key).result(timeout=1)
