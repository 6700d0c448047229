"""The command line: what it does, prints, and answers to mistakes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from msgqueue import JobStatus, TaskQueue, __version__
from msgqueue.cli import main
from msgqueue.testing import InlineWorker

SHOP = """
from datetime import datetime
from msgqueue import TaskQueue

queue = TaskQueue(queues=("high", "default"))
number = 5

@queue.task
def charge(order: int, *, cents: int) -> str:
    return f"{order}: {cents}"

@queue.task
def fails() -> None:
    raise ValueError("no such order")

@queue.task
def remind(when: datetime) -> datetime:
    return when
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cli_shop.py").write_text(SHOP)
    (tmp_path / "cli_broken.py").write_text("import json\njson.loads('no json')\n")
    (tmp_path / "cli_empty.py").write_text("")
    (tmp_path / "cli_typo.py").write_text("def (\n")
    return tmp_path


@pytest.fixture
def run(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs `msgqueue ...` in a folder with a few modules."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MSGQUEUE_REDIS_URL", url)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["msgqueue", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return Done(code if isinstance(code, int) else int(code is not None), *capsys.readouterr())

    yield call
    for name in [name for name in sys.modules if name.startswith("cli_")]:
        del sys.modules[name]


@pytest.fixture
def queue(run: Run) -> Iterator[TaskQueue]:
    """The TaskQueue of cli_shop.py, once a command has imported it."""
    run("queues", "--app", "cli_shop:queue")
    with sys.modules["cli_shop"].queue as queue:
        yield queue


# -- Enqueueing


def test_enqueue_prints_the_id(run: Run, queue: TaskQueue) -> None:
    done = run("enqueue", "cli_shop:queue", "charge", "7", "-k", "cents=1999")

    assert done.code == 0
    assert queue.job(done.out.strip()).status == JobStatus.QUEUED


def test_enqueue_takes_options(run: Run, queue: TaskQueue) -> None:
    run(
        *("enqueue", "cli_shop:queue", "charge", "7", "-k", "cents=1"),
        *("--queue", "default", "--delay", "60", "--job-id", "order-7"),
    )

    info = queue.job("order-7").info
    assert info is not None
    assert (info.queue, info.status) == ("default", JobStatus.SCHEDULED)


def test_an_argument_that_is_no_json_is_text(run: Run, queue: TaskQueue) -> None:
    done = run("enqueue", "cli_shop:queue", "remind", "2026-01-02T03:04:05Z", "--json")

    told = json.loads(done.out)
    assert told["status"] == "queued"
    assert queue.rq_job(told["job_id"]).args == ["2026-01-02T03:04:05Z"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("chargee",), "no task 'chargee' is registered. Did you mean 'charge'?"),
        (("charge", "x", "-k", "cents=1"), "task 'charge' does not take these arguments: order:"),
        (("charge", "7", "-k", "cents"), "--kwarg 'cents' is no NAME=VALUE"),
        (("charge", "7", "-k", "cents=1", "--queue", "low"), "no queue 'low' here"),
        (("charge", "7", "-k", "cents=1", "--job-id", "a/b"), "job_id='a/b' cannot be used"),
    ],
)
def test_what_cannot_be_enqueued_is_one_line_and_code_2(
    run: Run, arguments: tuple[str, ...], told: str
) -> None:
    done = run("enqueue", "cli_shop:queue", *arguments)

    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"msgqueue: {told}")


# -- Showing


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"msgqueue {__version__}\n"


def test_job_shows_call_status_and_result(run: Run, queue: TaskQueue) -> None:
    job = queue.tasks["charge"].options(meta={"step": 2}).enqueue(7, cents=5)
    InlineWorker(queue).drain()

    lines = run("job", job.id).out.splitlines()

    told = dict(line.split(maxsplit=1) for line in lines)
    assert told["call"].strip() == "cli_shop.charge(7, cents=5)"
    assert (told["status"].strip(), told["result"].strip()) == ("finished", '"7: 5"')
    assert told["meta"].strip() == '{"step": 2}'


def test_job_shows_the_traceback_of_a_failure(run: Run, queue: TaskQueue) -> None:
    job = queue.tasks["fails"].enqueue()
    InlineWorker(queue).drain()

    assert 'raise ValueError("no such order")' in run("job", job.id).out


def test_job_as_json_holds_all_that_is_known(run: Run, queue: TaskQueue) -> None:
    job = queue.tasks["charge"].enqueue(7, cents=5)
    InlineWorker(queue).drain()

    told = json.loads(run("job", job.id, "--json").out)

    assert (told["job"]["id"], told["job"]["status"]) == (job.id, "finished")
    assert told["result"] == "7: 5"


def test_an_unknown_job_is_one_line_and_code_1(run: Run) -> None:
    done = run("job", "nothing")

    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("msgqueue: no job 'nothing' in ")


def test_jobs_lists_a_page_and_how_to_see_the_next(run: Run, queue: TaskQueue) -> None:
    ids = [queue.tasks["charge"].enqueue(n, cents=5).id for n in range(3)]

    first = run("jobs", "queued", "--limit", "2").out
    cursor = first.splitlines()[-1].removeprefix("more: --cursor ")
    second = run("jobs", "queued", "--limit", "2", "--cursor", cursor).out

    assert [line.split()[0] for line in first.splitlines()[1:3]] == [ids[2], ids[1]]
    assert [line.split()[0] for line in second.splitlines()[1:]] == [ids[0]]


def test_failed_jobs_are_listed_with_their_error(run: Run, queue: TaskQueue) -> None:
    queue.tasks["fails"].enqueue()
    InlineWorker(queue).drain()

    assert "ValueError: no such order" in run("jobs", "failed").out


def test_jobs_of_nothing_say_so(run: Run) -> None:
    assert run("jobs", "failed").out == "no jobs\n"


def test_jobs_as_json_is_a_page(run: Run, queue: TaskQueue) -> None:
    job = queue.tasks["charge"].enqueue(7, cents=5)

    told = json.loads(run("jobs", "queued", "--json").out)

    assert [item["id"] for item in told["items"]] == [job.id]
    assert told["next_cursor"] is None


def test_an_unknown_status_is_code_2(run: Run) -> None:
    assert run("jobs", "done").code == 2


def test_queues_counts_what_redis_holds(run: Run, queue: TaskQueue) -> None:
    queue.tasks["charge"].enqueue(7, cents=5)

    header, row = run("queues").out.splitlines()

    assert dict(zip(header.split(), row.split(), strict=True))["queued"] == "1"
    assert row.startswith("high ")
    assert json.loads(run("queues", "--json").out)["high"]["queued"] == 1


def test_workers_lists_who_is_registered(run: Run, queue: TaskQueue) -> None:
    assert run("workers").out == "no workers\n"
    InlineWorker(queue).drain()

    assert "high,default" in run("workers").out
    assert json.loads(run("workers", "--json").out)[0]["queues"] == "high,default"


# -- What cannot be read


@pytest.fixture
def broken(queue: TaskQueue) -> str:
    """A job whose hash cannot be read, and was set aside."""
    job = queue.tasks["charge"].enqueue(7, cents=5)
    queue.source.client().hset(f"rq:job:{job.id}", mapping={"timeout": "soon", "odd": b"\xff\x1b["})
    InlineWorker(queue).drain()
    return job.id


def test_damaged_jobs_are_listed_with_reason_and_counted(run: Run, broken: str) -> None:
    _, row = run("damaged").out.splitlines()
    assert row.startswith(broken)
    assert "the timeout is no number" in row
    assert json.loads(run("damaged", "--json").out)["newest"][0]["id"] == broken
    assert run("queues").out.splitlines()[-1] == (
        "set aside, since they cannot be read: 1. See: msgqueue damaged"
    )


def test_a_damaged_job_is_shown_whole_and_escaped(run: Run, broken: str) -> None:
    lines = [line.strip().split(maxsplit=1) for line in run("damaged", broken).out.splitlines()]
    assert ["timeout", "soon"] in lines
    assert ["odd", r"\xff\x1b["] in lines
    assert json.loads(run("damaged", broken, "--json").out)[broken]["raw"]["timeout"] == "soon"


def test_a_damaged_job_that_was_mended_is_put_back(run: Run, queue: TaskQueue, broken: str) -> None:
    queue.source.client().hset(f"msgqueue:damaged:{broken}", "timeout", 30)

    assert run("damaged", broken, "--requeue").out == f"{broken} queued\n"

    InlineWorker(queue).drain()
    assert queue.job(broken).status == JobStatus.FINISHED
    assert run("damaged").out == "no damaged jobs\n"


def test_a_damaged_job_is_deleted(run: Run, broken: str) -> None:
    assert run("damaged", broken, "--delete") == Done(0, f"{broken} deleted\n", "")
    assert run("damaged", broken, "--delete").out == f"{broken} missing\n"


@pytest.mark.parametrize("way", [(), ("--json",), ("--requeue",), ("--delete",)])
def test_a_job_that_was_not_set_aside_is_one_line_and_code_1(
    run: Run, broken: str, way: tuple[str, ...]
) -> None:
    done = run("damaged", "nobody", broken, *way)

    assert done.code == 1
    assert broken in done.out  # what is there is dealt with all the same
    assert done.err == (
        "msgqueue: not among the jobs that were set aside: nobody."
        " See all of them: msgqueue damaged\n"
    )


def test_a_damaged_job_that_cannot_be_put_back_is_code_1(
    run: Run, queue: TaskQueue, broken: str
) -> None:
    queue.source.client().hdel(f"msgqueue:damaged:{broken}", "origin")

    done = run("damaged", broken, "--requeue")

    assert (done.code, done.out) == (1, f"{broken} unfit\n")
    assert done.err == (
        f"msgqueue: not put back: {broken}, which is no hash that names a queue and a call\n"
    )
    assert run("damaged", broken).code == 0


def test_damaged_jobs_are_changed_by_id_and_in_one_way(run: Run) -> None:
    assert run("damaged", "--delete").err == (
        "msgqueue: --requeue and --delete need the ids of the jobs\n"
    )
    assert run("damaged", "a", "--delete", "--requeue").code == 2


# -- Changing


def test_cancel_prints_what_each_was_left_in(run: Run, queue: TaskQueue) -> None:
    ids = [queue.tasks["charge"].enqueue(n, cents=5).id for n in range(2)]

    assert run("cancel", *ids).out == f"{ids[0]} canceled\n{ids[1]} canceled\n"
    assert json.loads(run("cancel", ids[0], "--json").out) == {ids[0]: "canceled"}


def test_retry_queues_again(run: Run, queue: TaskQueue) -> None:
    job = queue.tasks["fails"].enqueue()
    InlineWorker(queue).drain()

    assert run("retry", job.id).out == f"{job.id} queued\n"


# -- Where the TaskQueue is


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("cli_shop", "'cli_shop' names no TaskQueue: write module:queue, such as shop:queue"),
        (":queue", "':queue' names no TaskQueue"),
        ("cli_nothing:queue", "no module 'cli_nothing' in "),
        ("cli_shop.deep:queue", "no module 'cli_shop.deep' in "),
        ("cli_shop:que", "'cli_shop:que': que is not there. Did you mean cli_shop:queue?"),
        ("cli_shop:number", "'cli_shop:number': number is a int, no TaskQueue. Did you mean"),
        ("cli_empty:queue", "'cli_empty:queue': queue is not there. Module 'cli_empty' has no"),
        ("cli_broken:queue", "module 'cli_broken' cannot be imported: JSONDecodeError: Expecting"),
        ("cli_typo:queue", "module 'cli_typo' cannot be imported: SyntaxError: "),
    ],
)
def test_a_wrong_reference_is_one_line_and_code_2(run: Run, reference: str, told: str) -> None:
    done = run("worker", reference)

    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"msgqueue: {told}")


def test_an_error_inside_of_the_module_names_file_and_line(run: Run, folder: Path) -> None:
    assert f"({folder}/cli_broken.py, line 2)" in run("worker", "cli_broken:queue").err


def test_a_redis_that_is_not_there_is_one_line_and_code_1(run: Run) -> None:
    done = run("queues", "--url", "redis://127.0.0.1:1")

    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("msgqueue: Redis at redis://127.0.0.1:1")


def test_an_app_and_a_url_exclude_each_other(run: Run) -> None:
    done = run("queues", "--url", "redis://127.0.0.1:1", "--app", "cli_shop:queue")

    assert (done.code, done.err) == (
        2, "msgqueue: --app and --url exclude each other: give one of them\n"
    )  # fmt: skip


def test_a_worker_runs_what_is_queued(run: Run, queue: TaskQueue, folder: Path) -> None:
    job = queue.tasks["charge"].enqueue(7, cents=5)

    done = subprocess.run(
        [sys.executable, "-m", "msgqueue.cli", "worker", "cli_shop:queue", "--burst"],
        cwd=folder, env=os.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert job.result(timeout=0) == "7: 5"
    assert job.id in done.stderr
