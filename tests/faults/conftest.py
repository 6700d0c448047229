"""A trial a test, its seed, and the table of figures at the end."""

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
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

#: Seconds from the death of a process and its supervisor to the next begin of what it ran: the
#: lease, and a sweep each second.
RECOVERED = 9.0

#: Seconds that the ordinary suite adds: other tests run beside, on whatever machine.
SLACK = 2.0

Judge = Callable[..., Verdict]
Trials = Callable[..., Trial]
OwnRedis = Callable[..., Server]


def seed_of(config: pytest.Config) -> int:
    """The seed of the whole run, which all of its processes share."""
    if SEED not in config.stash:
        given = config.getoption("--fault-seed")
        told = getattr(config, "workerinput", {}).get("fault_seed", given)
        config.stash[SEED] = random.SystemRandom().randrange(1 << 32) if told is None else told
    return config.stash[SEED]


def figures_of(config: pytest.Config) -> Figures:
    """What the faults of this process came to."""
    return config.stash.setdefault(FIGURES, Figures())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """One of several processes of pytest-xdist begins: it takes our seed."""
    node.workerinput["fault_seed"] = seed_of(node.config)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes ends: it hands over its figures."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        rows = figures_of(session.config).rows.items()
        output["faults"] = [(fault, strikes, asdict(sum_)) for fault, (strikes, sum_) in rows]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of several processes has ended: its figures are added to those of the others."""
    for fault, strikes, verdict in getattr(node, "workeroutput", {}).get("faults", ()):
        figures_of(node.config).add(fault, strikes, Verdict(**verdict))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table, and how to repeat it."""
    figures = config.stash.get(FIGURES, None)
    if figures and figures.rows:
        terminalreporter.section(f"faults (--fault-seed={seed_of(config)})")
        for line in figures.table():
            terminalreporter.write_line(line)
        if config.getoption("--docs"):
            page.write(figures, config.getoption("--faults"), seed_of(config))


@pytest.fixture
def choice(request: pytest.FixtureRequest) -> random.Random:
    """Makes this test's choices: the same for the same `--fault-seed`."""
    seed = seed_of(request.config)
    request.node.add_report_section("setup", "repeat with", f"--fault-seed={seed}")
    return random.Random(f"{seed} {request.node.name}")


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
def slack(whole: bool) -> float:
    """Seconds to add to whatever has to be done soon."""
    return 0.0 if whole else SLACK


@pytest.fixture
def judge(request: pytest.FixtureRequest, slack: float) -> Judge:
    """`judge("F1 ...", trial, within=30, recovered=9)` waits for the end and asserts the verdict.

    Nothing is lost or unexpected, and only what was struck ran twice: `recovered` seconds after
    its first strike at most, and after a further one when it was put off, too. `resumed` is noted:
    seconds from the end of an outage until work went on.
    """

    def judge(
        fault: str,
        trial: Trial,
        within: float = 30.0,
        recovered: float = RECOVERED,
        *,
        strict: bool = True,
        sound: bool = True,
        resumed: float = 0.0,
    ) -> Verdict:
        verdict = replace(trial.settle(within, recovered + slack, sound=sound), resumed=resumed)
        figures_of(request.config).add(fault, len(trial.books.strikes), verdict)
        assert verdict.lost == ()
        assert verdict.unexpected == ()
        if strict:
            assert verdict.unexcused == ()
            assert verdict.late == (), verdict
        return verdict

    return judge
