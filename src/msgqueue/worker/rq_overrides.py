"""Which of rq's methods somebody has overridden or replaced: sentry-sdk and tracers do."""

import os
from collections.abc import Sequence
from types import FunctionType
from typing import Any, Final

import rq
from rq import Worker

from msgqueue.worker.rq_performing import PerformingWorker

HEEDED: Final = (
    "perform_job",
    "execute_job",
    "handle_exception",
    "handle_job_success",
    "handle_job_failure",
    "handle_job_retry",
    "prepare_job_execution",
    "handle_execution_ended",
)
"""What rq's path calls: where one is foreign, all jobs take that path."""

OF_JOBS: Final = ("perform", "_execute")

UNHEEDED: Final = (
    "heartbeat",
    "check_for_suspension",
    "handle_payload",
    "handle_warm_shutdown_request",
    "kill_horse",
    "prepare_execution",
    "cleanup_execution",
    "register_birth",
    "register_death",
    "reorder_queues",
    "request_stop",
    "request_force_stop",
    "run_maintenance_tasks",
    "set_state",
    "main_work_horse",
    "fork_work_horse",
    "monitor_work_horse",
    "setup_work_horse_signals",
    "dequeue_job_and_maintain_ttl",
    "maintain_heartbeats",
)
"""What a warm process has no use for: it is told, once, that a foreign one is not called."""

OWN: Final = (os.path.dirname(rq.__file__) + os.sep, os.path.dirname(__file__) + os.sep)  # noqa: PTH120 - files in code objects are text


def heeded(worker: Worker) -> list[str]:
    """The foreign methods that rq's path honours, as `Class.method`."""
    replaced = [f"{type(worker).__name__}().{name}" for name in HEEDED if name in vars(worker)]
    found = [one for one in _foreign(type(worker), HEEDED) if not _is_shadowed(*one)]
    return [*replaced, *map(_told, [*found, *_foreign(worker.job_class, OF_JOBS)])]


def unheeded(worker: Worker) -> list[str]:
    """The foreign methods that are never called."""
    shadowed = [one for one in _foreign(type(worker), HEEDED) if _is_shadowed(*one)]
    return list(map(_told, [*_foreign(type(worker), UNHEEDED), *shadowed]))


def _foreign(kind: type[Any], names: Sequence[str]) -> list[tuple[type[Any], str]]:
    return [
        (one, name)
        for name in names
        for one in kind.__mro__
        if name in vars(one) and not _is_own(vars(one)[name])
    ]


def _is_shadowed(kind: type[Any], name: str) -> bool:
    """Whether it was replaced on a class of rq's, below which ours has the method itself."""
    return name in vars(PerformingWorker) and issubclass(PerformingWorker, kind)


def _told(one: tuple[type[Any], str]) -> str:
    kind, name = one
    return f"{kind.__name__}.{name}"


def _is_own(method: object) -> bool:
    """Whether a method is written in rq's or our files; a proxy of one is not."""
    return type(method) is FunctionType and method.__code__.co_filename.startswith(OWN)
