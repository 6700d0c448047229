"""When a supervisor comes back to its part of the upkeep."""

import time

import pytest
from tests.worker.crew import Crew
from tests.worker.test_calls import go_on

from msgqueue.store import steps
from msgqueue.worker.calls import Calls
from msgqueue.worker.shared import clock
from msgqueue.worker.upkeep import EVERY, Upkeep

HOUR = 3600


@pytest.mark.parametrize("ahead", [0, HOUR, -HOUR])
def test_it_asks_for_due_jobs_at_its_pace_whatever_its_own_clock_says(
    crew: Crew, calls: Calls, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    crew.enqueue("add", 1, 1, delay=60)
    calls.ask(lambda: steps.lead("another"), lambda _: None)
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + ahead)
    upkeep = Upkeep(calls, ("default",), "me")

    asked = clock()
    upkeep.go()
    go_on(calls)

    assert upkeep.wants_at == pytest.approx(asked + EVERY, abs=0.05)


def test_it_cancels_all_who_wait_for_a_job_that_is_gone(crew: Crew, calls: Calls) -> None:
    parent = crew.rq.enqueue("operator.add", 1, 2)
    crowd = [crew.rq.enqueue("operator.add", 1, 2, depends_on=parent) for _ in range(150)]
    parent.delete()
    upkeep = Upkeep(calls, ("default",), "me")

    upkeep.go()
    go_on(calls)

    assert {job.get_status() for job in crowd} == {"canceled"}
