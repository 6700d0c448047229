"""A process that dies takes nothing with it but the run that was going on."""

import os
import signal
from pathlib import Path

import pytest
from tests.conftest import Eventually, ServerAt
from tests.worker.crew import Crew

from msgqueue import JobFailed, JobStatus


def test_the_job_of_a_killed_child_is_run_again(crew: Crew) -> None:
    crew.start(processes=1)

    assert crew.enqueue("die_once", crew.key("deaths")).result(timeout=5) == "done"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("kill", "killed by SIGKILL"),
        ("segfault", "killed by SIGSEGV"),
        ("exit", "ended with exit code 0"),
    ],
)
def test_a_job_that_may_not_run_twice_fails_with_how_its_process_died(
    crew: Crew, how: str, told: str
) -> None:
    crew.start(processes=1)

    job = crew.enqueue("die", how, max_deliveries=1)

    with pytest.raises(JobFailed, match=f"WorkerDied: the process was {told}; peak memory"):
        job.result(timeout=5)
    assert crew.enqueue("add", 1, 1).result(timeout=5) == 2


def test_a_process_that_dies_counts_a_death_for_each_coroutine_that_ran_and_for_no_other(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1, concurrency=4)
    beside = [crew.enqueue("nap_telling", 1.0, f"beside {n}") for n in range(3)]
    eventually(lambda: len(crew.noted()) == 3)
    killer = crew.enqueue("die_async", "segfault", max_deliveries=1)
    behind = [crew.enqueue("nap_telling", 0.0, f"behind {n}") for n in range(3)]

    with pytest.raises(JobFailed, match="WorkerDied: the process was killed by SIGSEGV"):
        killer.result(timeout=10)
    for job in (*beside, *behind):
        job.result(timeout=10)

    told = [f"beside {n}: attempt {attempt}" for n in range(3) for attempt in (1, 2)]
    assert sorted(crew.noted()) == sorted([*told, *(f"behind {n}: attempt 1" for n in range(3))])


def test_a_coroutine_fails_that_was_beside_as_many_deaths_as_it_may_be_delivered(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1)
    beside = crew.enqueue("nap_telling", 60.0, "beside", max_deliveries=2)
    for attempt in (1, 2):
        eventually(lambda attempt=attempt: crew.noted()[-1:] == [f"beside: attempt {attempt}"])
        crew.enqueue("die_async", "exit", max_deliveries=1)

    with pytest.raises(JobFailed, match="WorkerDied: the process was ended with exit"):
        beside.result(timeout=10)


def test_promise_4_killing_a_child_repeats_only_the_job_that_ran(
    crew: Crew, eventually: Eventually
) -> None:
    supervisor = crew.start(processes=1)
    for number in range(20):
        crew.enqueue("sleep", 0.02, f"{number}")
    last = crew.enqueue("add", 1, 1)
    eventually(lambda: len(crew.noted()) >= 5)

    os.kill(supervisor.children()[0], signal.SIGKILL)

    assert last.result(timeout=10) == 2
    noted = crew.noted()
    assert sorted(set(noted), key=int) == [str(number) for number in range(20)]
    assert len(noted) <= 21


def test_jobs_that_a_killed_child_held_are_run_in_order_and_lose_no_attempt(
    crew: Crew, eventually: Eventually
) -> None:
    supervisor = crew.start(processes=1, env={"FAULTS": ""})
    for _ in range(64):
        crew.enqueue("nothing")
    jobs = [crew.enqueue("sleep", 0.03, f"{number}") for number in range(10)]
    eventually(lambda: len(crew.noted()) >= 2)

    os.kill(supervisor.children()[0], signal.SIGKILL)

    for job in jobs:
        job.result(timeout=10)
    firsts = list(dict.fromkeys(crew.noted()))
    assert firsts == [str(number) for number in range(10)]
    infos = [job.refresh().info for job in jobs]
    assert sum(info.attempt > 1 for info in infos if info) <= 1


def test_a_killed_supervisor_leaves_no_child_behind(crew: Crew, eventually: Eventually) -> None:
    supervisor = crew.start(processes=2)
    eventually(lambda: len(supervisor.children()) == 2)
    idle, busy = supervisor.children()
    crew.enqueue("sleep", 1.0, "began")
    eventually(lambda: "began" in crew.noted())

    supervisor.signal(signal.SIGKILL)

    eventually(lambda: not alive(idle) and not alive(busy))


def test_a_child_with_nothing_to_report_ends_with_its_supervisor_though_redis_is_gone_too(
    server_at: ServerAt, short_path: Path, tmp_path: Path, eventually: Eventually
) -> None:
    server = server_at(short_path / "home")
    crew = Crew(server.url, tmp_path / "notes")
    supervisor = crew.start(env={"FAULTS": f"claim.before:stop:{tmp_path}/struck"}, processes=1)
    eventually((tmp_path / "struck").exists)
    (child,) = supervisor.children()
    assert server.pid is not None

    os.kill(server.pid, signal.SIGSTOP)
    os.kill(child, signal.SIGCONT)  # its claim has no answer from now on
    for pid in (supervisor.pid, server.pid):
        os.kill(pid, signal.SIGKILL)

    eventually(lambda: not alive(child), 2.0)
    crew.close()


def test_a_job_that_runs_when_its_supervisor_dies_is_finished_and_reported(
    crew: Crew, eventually: Eventually
) -> None:
    supervisor = crew.start(processes=1)
    job = crew.enqueue("sleep", 1.0, "ran")
    eventually(lambda: crew.noted() == ["ran"])

    supervisor.signal(signal.SIGKILL)

    assert job.result(timeout=5) == 1.0


def test_what_a_whole_machine_took_with_it_is_run_by_the_next(
    crew: Crew, eventually: Eventually
) -> None:
    first = crew.start(processes=1)
    job = crew.enqueue("sleep", 1.5, "ran")
    eventually(lambda: crew.noted() == ["ran"])
    pids = [first.pid, *first.children()]

    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    crew.start(processes=1)

    assert job.result(timeout=15) == 1.5
    assert crew.noted() == ["ran", "ran"]


def test_promise_4_a_job_that_kills_every_process_fails_at_the_limit_of_deliveries(
    crew: Crew, eventually: Eventually
) -> None:
    crew.start(processes=1)

    job = crew.enqueue("die", "kill", max_deliveries=2)

    with pytest.raises(JobFailed, match="WorkerDied"):
        job.result(timeout=10)
    assert job.refresh().status is JobStatus.FAILED


def alive(pid: int) -> bool:
    """Whether a process runs, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
