"""Each measurement gives its figures, and a contender that fails does not stop the others."""

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.measurements import Figure, Measurement, enqueue, kill
from benchmarks.measurements.all import MEASUREMENTS
from benchmarks.record import Record
from benchmarks.roster import BARE, CONTENDERS, WHOLE, Contender, Environment
from benchmarks.run import measure
from benchmarks.server import Server
from benchmarks.trial import MeasurementFailed, Trial, trial
from rich.console import Console
from tests.benchmarks.conftest import OURS, SHORT, TrialOf

from benchmarks import report

QUICK = [one for one in MEASUREMENTS if one.name in {"drain", "enqueue", "result", "memory"}]
SLOW = [one for one in MEASUREMENTS if one not in QUICK]


def figures_of(measurement: Measurement) -> set[str]:
    return {figure.key for figure in measurement.figures}


@pytest.mark.parametrize("measurement", QUICK, ids=lambda one: one.name)
def test_a_measurement_of_ours_gives_every_figure(
    trial_of: TrialOf, measurement: Measurement
) -> None:
    found = measurement.take(trial_of(OURS))

    assert found.keys() == figures_of(measurement)
    assert all(value > 0 for value in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("measurement", SLOW, ids=lambda one: one.name)
def test_a_slow_measurement_of_ours_gives_every_figure(
    trial_of: TrialOf, measurement: Measurement
) -> None:
    assert measurement.take(trial_of(OURS)).keys() == figures_of(measurement)


@pytest.mark.slow
def test_a_loop_that_pops_before_it_runs_loses_what_was_running_at_the_kill(
    trial_of: TrialOf,
) -> None:
    floor = Contender("bare", BARE, 1000, role="floor")
    impatient = trial_of(floor)
    impatient = replace(impatient, effort=replace(impatient.effort, patience=5.0))

    found = kill.KILL.take(impatient)

    assert found["kill_lost"] in range(1, kill.PROCESSES + 1)  # one may be between two jobs
    assert "kill_seconds" not in found


def test_a_contender_that_cannot_start_is_noted_and_the_others_are_measured(
    trial_of: TrialOf,
) -> None:
    broken = Contender("broken", Environment("broken", "no_such_module", ()), 100)
    record = Record({}, (broken, OURS), (enqueue.ENQUEUE,))

    measure(record, [trial_of(broken), trial_of(OURS)], 1, Console(quiet=True))

    assert (
        "No module named 'benchmarks.contenders.no_such_module'"
        in (record.faults["broken", "enqueue"])
    )
    ((_, failed, ours),) = report.details(record)
    assert failed == ["broken", "failed", "failed"]
    assert ours[0] == "msgqueue"
    assert not {"failed", report.NONE} & set(ours)


def test_an_error_that_nobody_foresaw_costs_that_one_measurement(trial_of: TrialOf) -> None:
    rate = Figure("rate", "jobs/s", "most")
    odd = Measurement("odd", (rate,), lambda _: {"rate": 1 / 0})
    even = Measurement("even", (rate,), lambda _: {"rate": 2.0})
    record = Record({}, (OURS,), (odd, even))

    measure(record, [trial_of(takes(OURS, odd, even))], 1, Console(quiet=True))

    assert record.faults == {("msgqueue", "odd"): "ZeroDivisionError: division by zero"}
    assert record.middle("msgqueue", rate) == 2.0


def test_an_interrupted_run_shows_what_it_has_measured(trial_of: TrialOf) -> None:
    rate = Figure("rate", "jobs/s", "most")
    first = Measurement("first", (rate,), lambda _: {"rate": 2.0})
    second = Measurement("second", (rate,), _interrupted)
    record = Record({}, (OURS,), (first, second))

    measure(record, [trial_of(takes(OURS, first, second))], 3, Console(quiet=True))

    assert record.values == {("msgqueue", "rate"): [2.0]}
    assert report.notes(record)[-1].startswith("interrupted")


def test_an_agent_that_does_not_answer_is_given_up(
    redis: Server, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.trial.ANSWER_WITHIN", 0.2)

    with trial(OURS, SHORT, redis, ["sleep", "60"], short_path) as stuck:
        with pytest.raises(MeasurementFailed, match=r"no answer to keeps in 0\.2 s"):
            stuck.ask("keeps")
        with pytest.raises(MeasurementFailed, match="its agent died"):
            stuck.ask("keeps")


def _interrupted(_: Trial) -> dict[str, float]:
    raise KeyboardInterrupt


def takes(contender: Contender, *measurements: Measurement) -> Contender:
    return replace(contender, takes=frozenset(one.name for one in measurements))


def test_every_contender_takes_measurements_that_exist() -> None:
    known = {measurement.name for measurement in MEASUREMENTS}

    assert known >= WHOLE
    assert all(contender.takes <= known for contender in CONTENDERS)
