"""A trial a test, its seed, and the table of figures at the end."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.faults import page
from tests.faults.figures import Figures
from tests.faults.ledger import Verdict
from tests.faults.proxy import Proxy
from tests.faults.servers import Server
from tests.faults.trial import Trial

FIGURES = pytest.StashKey[Figures]()
SEED = pytest.StashKey[int]()

Judge = Callable[..., Verdict]
Trials = Callable[..., Trial]
OwnRedis = Callable[..., Server]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table, and how to repeat it."""
    figures = config.stash.get(FIGURES, None)
    if figures and figures.rows:
        terminalreporter.section(f"faults (--fault-seed={config.stash[SEED]})")
        for line in figures.table():
            terminalreporter.write_line(line)
        if config.getoption("--docs"):
            page.write(figures, config.getoption("--faults"), config.stash[SEED])


@pytest.fixture
def choice(request: pytest.FixtureRequest) -> random.Random:
    """Makes this test's choices: the same for the same `--fault-seed`."""
    stash = request.config.stash
    if SEED not in stash:
        given = request.config.getoption("--fault-seed")
        stash[SEED] = random.SystemRandom().randrange(1 << 32) if given is None else given
    request.node.add_report_section("setup", "repeat with", f"--fault-seed={stash[SEED]}")
    return random.Random(f"{stash[SEED]} {request.node.name}")


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether all faults are run, at their full size."""
    return bool(request.config.getoption("--faults"))


@pytest.fixture
def own_redis(short_path: Path) -> Iterator[OwnRedis]:
    """`own_redis(*options)` starts a Redis of the test's own, as `Server` does."""
    started: list[Server] = []

    def start(*options: str, folder: Path | None = None, **how: Any) -> Server:
        folder = folder or short_path / f"redis-{len(started)}"
        started.append(Server(folder, *options, **how))
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture
def trials(choice: random.Random, tmp_path: Path, own_redis: OwnRedis) -> Iterator[Trials]:
    """`trials(url)` begins a trial on a Redis of the test's own, which outlives it."""
    begun: list[Trial] = []

    def begin(url: str, producers_url: str | None = None) -> Trial:
        folder = tmp_path / f"trial-{len(begun)}"
        folder.mkdir()
        begun.append(Trial(url, folder, choice, producers_url))
        return begun[-1]

    yield begin
    for trial in begun:
        trial.close()


@pytest.fixture
def trial(trials: Trials, url: str) -> Trial:
    """A trial on the server of the whole run."""
    return trials(url)


@pytest.fixture
def network(trial: Trial, choice: random.Random) -> Iterator[Proxy]:
    """A way to the trial's Redis on which requests and replies meet faults; workers take it by
    `trial.start(network.environment)`, producers by `trial.produce(10, url=network.url)`.
    """
    proxy = Proxy(trial.url, choice, trial.books.strike)
    yield proxy
    trial.close()  # while its workers can still say goodbye
    proxy.close()


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """`judge("F1 ...", trial, within=30, recovered=9)` waits for the end and asserts the verdict.

    Nothing is lost or unexpected, and only what was struck ran twice.
    """

    def judge(
        fault: str,
        trial: Trial,
        within: float = 30.0,
        recovered: float = 10.0,
        *,
        strict: bool = True,
        sound: bool = True,
    ) -> Verdict:
        verdict = trial.settle(within, sound=sound)
        figures = request.config.stash.setdefault(FIGURES, Figures())
        figures.add(fault, len(trial.books.strikes), verdict)
        assert verdict.lost == ()
        assert verdict.unexpected == ()
        if strict:
            assert verdict.unexcused == ()
            assert verdict.within <= recovered
        return verdict

    return judge
