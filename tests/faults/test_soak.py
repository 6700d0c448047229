"""Promises 1 to 4, 8 and 12 for as long as one likes: a mix of faults, by which nothing grows.

Processes, the network and Redis itself are struck.
"""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.faults.conftest import Judge, OwnRedis, Trials
from tests.faults.harms import forgetting_scripts, full, killed, read_only, restarted
from tests.faults.proxy import CUTS, Fault, Proxy, Rule
from tests.faults.servers import ALWAYS, Server
from tests.faults.trial import Started, Trial
from tests.patience import wait_until

MOST_GROWTH = 16.0  # MiB, of a process that lives from the first quarter to the end
HELD = 64  # jobs that a child may hold, run or have ended unreported
LEFT = 12  # keys that a database without jobs may have: queues, workers, locks
FORGOTTEN_WITHIN = 120.0  # seconds until what was kept for a while is gone


def memory(pid: int) -> float:
    """What a process takes, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


HARMS = (restarted, killed, read_only, full, forgetting_scripts, Server.frozen)


@pytest.fixture
def struck(own_redis: OwnRedis) -> Server:
    """A Redis that is struck, too; with `always` it forgets nothing by that."""
    return own_redis(*ALWAYS)


@pytest.fixture
def trial(trials: Trials, struck: Server) -> Trial:
    """A trial on it."""
    return trials(struck.url)


@pytest.fixture
def steady(trial: Trial) -> Iterator[Started]:
    """A supervisor that nothing strikes: what it and its children take is watched."""
    started = trial.start(processes=2)
    trial.supervisors.remove(started)
    yield started
    started.end()


class Nemesis:
    """Strikes by chance."""

    def __init__(self, trial: Trial, network: Proxy, server: Server) -> None:
        self._trial, self._network, self._server = trial, network, server
        self._frozen: list[tuple[float, list[int]]] = []

    def strike(self) -> None:
        """One blow; what an earlier one has frozen returns in its time."""
        self.thaw(time.monotonic() - 10)
        blows: list[Callable[[], object]] = [
            self._trial.kill_child,
            self._kill_supervisor,
            self._kill_machine,
            self._freeze,
            self._disturb,
            self._cut_off,
            self._network.fall_silent,
            *[self._harm_redis] * 3,  # nearly every third blow
        ]
        self._trial.choice.choice(blows)()

    def thaw(self, until: float) -> None:
        """Let go on what was frozen before."""
        for at, pids in self._frozen[:]:
            if at <= until:
                self._frozen.remove((at, pids))
                for pid in pids:
                    self._trial.signal(pid, signal.SIGCONT)

    def _kill_supervisor(self) -> None:
        if self._trial.kill_supervisor():
            self._trial.start(self._network.environment, processes=2)

    def _kill_machine(self) -> None:
        if self._trial.kill_machine():
            self._trial.start(self._network.environment, processes=2)

    def _freeze(self) -> None:
        living = [one for one in self._trial.supervisors if one.alive]
        if living and not self._frozen:
            victim = self._trial.choice.choice(living)
            pids = [victim.pid, *victim.children()]
            self._trial.strike("frozen", pids, signal.SIGSTOP)
            self._frozen.append((time.monotonic(), pids))

    def _disturb(self) -> None:
        faults = (*CUTS, Fault.LATE, Fault.HALTED, Fault.COPIED)
        self._network.be(*(Rule(fault, 0.02, seconds=0.5) for fault in faults))

    def _harm_redis(self) -> None:
        harm = self._trial.choice.choice(HARMS)
        with harm(self._server):
            self._trial.books.strike("redis")
            time.sleep(self._trial.choice.uniform(0.2, 4.0))  # that long it lasts

    def _cut_off(self) -> None:
        self._network.go_dark()
        time.sleep(self._trial.choice.uniform(0.2, 2.0))  # that long it is dark
        self._network.heal()


@pytest.mark.soak
def test_promise_12_a_mix_of_faults_loses_nothing_and_nothing_grows(
    trial: Trial,
    judge: Judge,
    network: Proxy,
    struck: Server,
    steady: Started,
    request: pytest.FixtureRequest,
) -> None:
    seconds = float(request.config.getoption("--soak")) or 60.0
    for _ in range(2):
        trial.start(network.environment, processes=2)
    nemesis, ends = Nemesis(trial, network, struck), time.monotonic() + seconds
    wait_until(lambda: len(steady.children()) == 2, 10, "its children")
    watched: dict[int, float] = {}
    redis_then = 0

    while time.monotonic() < ends:
        trial.produce(100, network.url, pause=0.02, kept=5)
        trial.wait_for_acknowledged(100)
        nemesis.strike()
        if not watched and time.monotonic() > ends - 0.75 * seconds:
            watched = {pid: memory(pid) for pid in (steady.pid, *steady.children())}
            redis_then = trial.client.info("memory")["used_memory"]
    nemesis.thaw(time.monotonic())
    network.heal()

    # Not strict: what ended while the network was away is reported later than the books allow for.
    verdict = judge(f"F23 soak of {seconds:.0f} s", trial, within=180, strict=False)
    blows = sum(1 for strike in trial.books.strikes if strike.pids)
    assert len(verdict.duplicated) <= blows * 2 * HELD
    assert max(memory(pid) - was for pid, was in watched.items()) < MOST_GROWTH
    wait_until(lambda: trial.client.dbsize() <= LEFT, FORGOTTEN_WITHIN, "no key is left")
    redis_now = trial.client.info("memory")["used_memory"]
    assert redis_now - redis_then < MOST_GROWTH * (1 << 20)
