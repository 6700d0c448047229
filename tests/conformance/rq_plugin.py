"""A pytest plugin for rq's own tests: they get our worker class, or our store under rq's classes.

Each run of our loop, and each of the store's steps, is counted.

Loaded by rq's pytest run, and by `sitecustomize` in the processes of rq's commands that it starts.
"""

import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import rq
import rq.worker
import rq.worker_pool
from groups import is_about_queue_and_job
from rq_store import Seam

from msgqueue import RqWorker
from msgqueue.worker.loop import Loop

COUNT = Path(os.environ["CONFORMANCE_COUNT"])
OUTCOMES = Path(os.environ["CONFORMANCE_OUTCOMES"])


def install() -> None:
    """Put our class where tests look for rq's, and count the runs of our loop."""
    plain = rq.Worker
    pool: Any = rq.worker_pool.WorkerPool.__init__
    pool.__defaults__ = tuple(RqWorker if one is plain else one for one in pool.__defaults__ or ())
    for module in (rq, rq.worker):
        for name in ("Worker", "SimpleWorker"):
            setattr(module, name, RqWorker)
    run = Loop.run

    def counted(self: Loop) -> int:
        count()
        return run(self)

    pytest.MonkeyPatch().setattr(Loop, "run", counted)


def count() -> None:
    """One more run of our code, in whichever process."""
    fd = os.open(COUNT, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x")
    os.close(fd)


def _runs() -> int:
    return COUNT.stat().st_size if COUNT.exists() else 0


class Outcomes:
    """How each test ended, and whether it went through our code."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = _runs()
        with Seam(count).patched() if is_about_queue_and_job(item.nodeid) else nullcontext():
            said = yield
        self._of.setdefault(item.nodeid, {})["ours"] = _runs() > before
        return said

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        known = self._of.setdefault(report.nodeid, {"outcome": "passed"})
        if report.outcome != "passed":
            known["outcome"] = report.outcome

    def pytest_sessionfinish(self) -> None:
        OUTCOMES.write_text(json.dumps(self._of))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Outcomes())


install()
