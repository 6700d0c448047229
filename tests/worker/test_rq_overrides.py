"""What of rq's methods was overridden or replaced is found, wherever that was done."""

from typing import Any

import pytest
import redis
from rq import Worker
from rq.job import Job
from rq.worker import BaseWorker
from tests.worker import plain

from msgqueue import RqWorker
from msgqueue.worker.rq_overrides import heeded, unheeded


@pytest.fixture
def worker(client: redis.Redis) -> RqWorker:
    return RqWorker(["default"], connection=client, prepare_for_work=False)


def foreign(*_args: Any, **_kwargs: Any) -> None:
    """What a tracer puts in place of a method."""


def test_nothing_is_found_where_nobody_touched_anything(worker: RqWorker) -> None:
    assert (heeded(worker), unheeded(worker)) == ([], [])


@pytest.mark.parametrize(
    ("kind", "method"),
    [(BaseWorker, "perform_job"), (BaseWorker, "handle_exception"), (Job, "perform")],
)
def test_a_method_replaced_on_a_class_of_rqs_is_heeded(
    worker: RqWorker, monkeypatch: pytest.MonkeyPatch, kind: type[Any], method: str
) -> None:
    monkeypatch.setattr(kind, method, foreign)
    assert heeded(worker) == [f"{kind.__name__}.{method}"]


def test_a_method_replaced_on_the_worker_itself_is_heeded(worker: RqWorker) -> None:
    setattr(worker, "perform_job", foreign)  # noqa: B010 - mypy forbids to assign to a method
    assert heeded(worker) == ["RqWorker().perform_job"]


def test_what_a_class_of_ones_own_overrides_is_heeded(client: redis.Redis) -> None:
    worker = plain.OwnWorker(["default"], connection=client, prepare_for_work=False)
    assert heeded(worker) == ["OwnWorker.perform_job", "OwnWorker.handle_job_success"]
    assert unheeded(worker) == ["OwnWorker.main_work_horse"]


@pytest.mark.parametrize("method", ["handle_job_success", "handle_job_failure"])
def test_what_our_class_stands_before_is_told_as_not_called(
    worker: RqWorker, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(BaseWorker, method, foreign)
    assert (heeded(worker), unheeded(worker)) == ([], [f"BaseWorker.{method}"])


def test_what_a_warm_process_never_calls_is_told(
    worker: RqWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "fork_work_horse", foreign)
    assert (heeded(worker), unheeded(worker)) == ([], ["Worker.fork_work_horse"])
