"""Pages of jobs: newest first, over several queues, without gaps or doubles."""

import pytest
import redis
from tests.store.conftest import Child, Spec, died, error, ok

from msgqueue.errors import DamagedJob, InvalidOption
from msgqueue.jobs import JobInfo, JobStatus
from msgqueue.store import listing, steps
from msgqueue.store.run import Store


def all_pages(store: Store, status: JobStatus, limit: int, *queues: str) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        page = store.drive(listing.jobs(queues or ("default",), status, limit, cursor))
        pages.append([job.id for job in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def test_queued_jobs_are_listed_newest_first(store: Store, spec: Spec) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcde"]))
    assert all_pages(store, JobStatus.QUEUED, 2) == [["e", "d"], ["c", "b"], ["a"]]


def test_finished_jobs_are_listed_newest_first(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcde"]))
    for _ in range(5):
        child.work(ok(child.claim()[0]), claim=0)
    assert all_pages(store, JobStatus.FINISHED, 2) == [["e", "d"], ["c", "b"], ["a"]]


def test_a_page_spans_queues(store: Store, spec: Spec) -> None:
    specs = [spec(f"{queue}{n}", queue=queue) for n in range(3) for queue in ("x", "y")]
    store.run(steps.enqueue(specs))
    expected = [made.id for made in reversed(specs)]
    for limit in (1, 2, 4, 6, 7):
        pages = all_pages(store, JobStatus.QUEUED, limit, "x", "y")
        assert [name for page in pages for name in page] == expected


def test_jobs_of_one_moment_are_neither_skipped_nor_doubled(
    store: Store, client: redis.Redis, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec(f"j{n:02}") for n in range(30)]))
    child.work(*map(ok, child.claim(30)))
    at = client.zrange("rq:finished:default", 0, 0, withscores=True)[0][1]
    client.zadd("rq:finished:default", {f"j{n:02}": at for n in range(30)})
    names = [name for page in all_pages(store, JobStatus.FINISHED, 7) for name in page]
    assert sorted(names) == [f"j{n:02}" for n in range(30)]


def test_an_offset_skips(store: Store, spec: Spec) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcde"]))
    page = store.drive(listing.jobs(("default",), JobStatus.QUEUED, 2, offset=1))
    assert [job.id for job in page.items] == ["d", "c"]


def test_a_list_goes_on_while_workers_take_from_it(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcde"]))
    page = store.drive(listing.jobs(("default",), JobStatus.QUEUED, 2))
    child.claim(1)
    rest = store.drive(listing.jobs(("default",), JobStatus.QUEUED, 5, page.next_cursor))
    assert [job.id for job in rest.items] == ["c", "b"]


def test_a_list_ends_where_its_place_was_claimed(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec(name) for name in "abcde"]))
    page = store.drive(listing.jobs(("default",), JobStatus.QUEUED, 2))
    child.claim(5)
    rest = store.drive(listing.jobs(("default",), JobStatus.QUEUED, 5, page.next_cursor))
    assert rest.items == ()


def test_running_jobs_are_listed(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec("a")]))
    child.claim()
    page = store.drive(listing.jobs(("default",), JobStatus.STARTED, 5))
    assert [(job.id, job.worker, job.attempt) for job in page.items] == [
        ("a", child.lane.worker, 1)
    ]


def listed(store: Store, status: JobStatus) -> list[JobInfo]:
    return list(store.drive(listing.jobs(("default",), status, 5)).items)


def test_failed_jobs_tell_their_error(store: Store, spec: Spec, child: Child) -> None:
    store.run(steps.enqueue([spec("a")]))
    text = (
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    f()\nKeyError: 'x'"
    )
    child.work(error(child.claim()[0], text))
    [job] = listed(store, JobStatus.FAILED)
    assert job.error is not None
    assert (job.error.type, job.error.message) == ("KeyError", "'x'")


def test_stopped_jobs_lie_among_the_failed_and_can_be_listed_alone(
    store: Store, spec: Spec, child: Child
) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    one, two = child.claim(2)
    child.work(error(one), claim=0)
    child.settle(ended=(died(two, "stop"),))
    assert {job.id for job in listed(store, JobStatus.FAILED)} == {"a", "b"}
    assert [job.id for job in listed(store, JobStatus.STOPPED)] == ["b"]


def test_a_damaged_job_is_left_out(store: Store, client: redis.Redis, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a"), spec("b"), spec("c")]))
    client.hset("rq:job:b", "status", "odd")
    client.delete("rq:job:c")
    client.set("rq:job:c", "no hash")
    assert [job.id for job in listed(store, JobStatus.QUEUED)] == ["a"]


def test_a_damaged_job_is_told_when_it_is_read(
    store: Store, client: redis.Redis, spec: Spec
) -> None:
    store.run(steps.enqueue([spec("a")]))
    client.hset("rq:job:a", "status", "odd")
    with pytest.raises(
        DamagedJob, match="the data of job 'a' cannot be read: unknown status 'odd'"
    ):
        store.run(steps.read("a"))


@pytest.mark.parametrize("cursor", ["x", "W10", "!!!", "eyJhIjoxfQ", "W1wicXVldWVkXCIsIDFd"])
def test_a_cursor_of_no_page_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidOption, match="pass the next_cursor of the page before"):
        store.drive(listing.jobs(("default",), JobStatus.QUEUED, 5, cursor))


def test_a_cursor_of_another_status_is_refused(store: Store, spec: Spec) -> None:
    store.run(steps.enqueue([spec("a"), spec("b")]))
    page = store.drive(listing.jobs(("default",), JobStatus.QUEUED, 1))
    with pytest.raises(InvalidOption):
        store.drive(listing.jobs(("default",), JobStatus.FAILED, 1, page.next_cursor))
