"""A server and a folder of a test's own, and msgqueue as a contender in this very environment."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.roster import CONTENDERS, Contender
from benchmarks.server import Persistence, Server, running
from benchmarks.trial import Effort, Trial, trial

from msgqueue.embedded import binary

SHORT = Effort(seconds=0.1, jobs=20, idle=0.2, patience=20.0, million=20_000)
OURS = CONTENDERS[0]

collect_ignore_glob = [] if Path("/proc/self/stat").exists() else ["test_*.py"]

TrialOf = Callable[[Contender], Trial]


@pytest.fixture
def redis(short_path: Path) -> Iterator[Server]:
    with running(binary.find(None), Persistence.NONE, short_path) as server:
        yield server


@pytest.fixture
def trial_of(redis: Server, short_path: Path) -> Iterator[TrialOf]:
    """`trial_of(contender)` is ready to be measured, with msgqueue's own interpreter."""
    with ExitStack() as stack:

        def begin(contender: Contender) -> Trial:
            agent = sys.executable, "-m", "benchmarks.agent", contender.environment.module
            return stack.enter_context(trial(contender, SHORT, redis, agent, short_path))

        yield begin
