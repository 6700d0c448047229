"""Contenders in other languages, and what a run does where one cannot be installed."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.environments import Absent, prepare
from benchmarks.measurements import Measurement, drain, enqueue, kill, latency, sleeps
from benchmarks.record import Record
from benchmarks.roster import BULLMQ, CONTENDERS, SIDEKIQ, Contender
from benchmarks.run import install
from benchmarks.server import Server
from benchmarks.trial import Trial, trial
from rich.console import Console
from tests.benchmarks.conftest import SHORT

from benchmarks import report

(NODE,) = (one for one in CONTENDERS if one.environment == BULLMQ)
(RUBY,) = (one for one in CONTENDERS if one.environment == SIDEKIQ)
MEASUREMENTS = (drain.TWO, enqueue.ENQUEUE, sleeps.HUNDRED, latency.START, latency.RESULT)


@pytest.fixture
def foreign(
    redis: Server, short_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Contender], Trial]]:
    """`foreign(contender)` is ready to be measured; without its language the test is skipped."""
    folder = tmp_path_factory.getbasetemp() / "environments"
    with ExitStack() as stack:

        def begin(contender: Contender) -> Trial:
            try:
                agent = prepare(contender.environment, folder).agent
            except Absent as missing:
                pytest.skip(f"{contender.name}: {missing}")
            return stack.enter_context(trial(contender, SHORT, redis, agent, short_path))

        yield begin


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contender", "measurement"),
    [
        pytest.param(contender, measurement, id=f"{contender.name}, {measurement.name}")
        for contender in (NODE, RUBY)
        for measurement in MEASUREMENTS
        if measurement.name in contender.takes
    ],
)
def test_a_contender_in_another_language_gives_every_figure(
    foreign: Callable[[Contender], Trial], contender: Contender, measurement: Measurement
) -> None:
    found = measurement.take(foreign(contender))

    assert found.keys() == {figure.key for figure in measurement.figures}
    assert all(value > 0 for value in found.values())


@pytest.mark.slow
def test_its_stamps_outlive_a_kill(foreign: Callable[[Contender], Trial]) -> None:
    ruby = foreign(RUBY)
    impatient = replace(ruby, effort=replace(ruby.effort, patience=3.0))

    found = kill.KILL.take(impatient)

    assert 0 < found["kill_lost"] < kill.JOBS  # it keeps nothing of what it has taken


@pytest.mark.parametrize(("language", "contender"), [("node", NODE), ("ruby", RUBY)])
def test_a_language_that_is_absent_leaves_its_contenders_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, contender: Contender
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    record = Record({}, (contender,), (drain.ONE,))

    assert install(record, tmp_path, Console(quiet=True)) == {}

    assert not record.columns
    name = contender.environment.name
    assert f"{name} is left out: there is no {language} on PATH: install it" in report.notes(record)


def test_an_installation_that_fails_is_noted_at_each_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'the registry is away' >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    record = Record({}, (NODE,), (drain.ONE, enqueue.ENQUEUE))

    assert install(record, tmp_path / "environments", Console(quiet=True)) == {}

    assert [row for _, row in report.details(record)] == [
        [NODE.name, "failed"],
        [NODE.name, "failed", "failed"],
    ]
    (note,) = (note for note in report.notes(record) if note.startswith(NODE.name))
    assert note.startswith(f"{NODE.name}, single, enqueue: ")
    assert note.endswith("the registry is away")
