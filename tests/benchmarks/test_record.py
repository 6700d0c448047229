"""Medians, and ratios that say how many times better ours is."""

from pathlib import Path

import pytest
from benchmarks.measurements import Figure, Measurement
from benchmarks.record import Record
from benchmarks.report import lines
from benchmarks.roster import BARE, BULLMQ, HUEY, MSGQUEUE, RQ_3, TASKIQ, Contender

from benchmarks import docs, report

RATE = Figure("rate", "jobs/s", "most")
COST = Figure("cost", "us", "least", 1)
BOTH = Measurement("both", (RATE, COST), lambda _: {})
OURS = Contender("ours", MSGQUEUE, 1, role="ours")
RQ = Contender("rq", RQ_3, 1)
FAST = Contender("fast", HUEY, 1)
NODE = Contender("node", BULLMQ, 1, role="foreign")
FLOOR = Contender("floor", BARE, 1, role="floor")
IDLE = Contender("idle", TASKIQ, 1)


@pytest.fixture
def record() -> Record:
    record = Record({"date": "2026-11-24"}, (OURS, RQ, FAST, NODE, FLOOR, IDLE), (BOTH,))
    for rate in (100.0, 900.0, 300.0):
        record.add(OURS, {"rate": rate, "cost": 2.0})
    record.add(RQ, {"rate": 10.0, "cost": 80.0})
    record.add(FAST, {"rate": 100.0, "cost": 8.0})
    record.add(NODE, {"rate": 3_000.0, "cost": 1.0})
    record.add(FLOOR, {"rate": 5_000.0, "cost": 1.0})
    return record


def test_the_table_shows_medians_and_how_many_times_better_ours_is(record: Record) -> None:
    assert lines(record) == [
        ["", "ours", "rq", "fast", "node", "floor", "idle", *report.RATIOS],
        ["jobs/s", "300", "10", "100", "3,000", "5,000", "-", "3.00", "30.00", "0.10"],
        ["us", "2.0", "80.0", "8.0", "1.0", "1.0", "-", "4.00", "40.00", "0.50"],
    ]


def test_a_column_may_show_several_contenders(record: Record) -> None:
    second = Contender("ours otherwise", MSGQUEUE, 1, role="ours", shown_as="ours")

    record.add(second, {"more": 7.0})

    assert record.middle("ours", Figure("more", "more", "most")) == 7.0
    assert "ours otherwise" not in record.columns


def test_the_documentation_gets_table_and_plot_between_its_marks(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, plot = tmp_path / "page.md", tmp_path / "page.svg"
    page.write_text(f"before\n{docs.BEGIN}old\n{docs.END}after\n")
    monkeypatch.setattr(docs, "RATE", RATE)

    docs.write(record, page, plot)

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{docs.END}after\n")
    assert "| jobs/s | 300 | 10 | 100 | 3,000 | 5,000 | - | 3.00 | 30.00 | 0.10 |" in text
    assert "old" not in text
    bars = plot.read_text()
    places = [bars.index(f">{name}<") for name in ("floor", "node", "ours", "fast", "rq")]
    assert places == sorted(places)


def test_the_page_has_the_marks() -> None:
    text = docs.PAGE.read_text()

    assert text.count(docs.BEGIN) == text.count(docs.END) == 1
