"""Medians, and ratios that say how many times better ours is."""

from pathlib import Path

import pytest
from benchmarks.measurements import Figure, Measurement
from benchmarks.record import Record
from benchmarks.roster import BARE, BULLMQ, HUEY, MSGQUEUE, RQ_3, TASKIQ, Contender

from benchmarks import docs, report

RATE = Figure("rate", "jobs/s", "most")
COST = Figure("cost", "us", "least", 1)
BOTH = Measurement("both", (RATE, COST), lambda _: {})
OURS = Contender("msgqueue", MSGQUEUE, 1, role="ours")
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


def test_the_summary_shows_medians_and_how_many_times_better_ours_is(record: Record) -> None:
    assert report.summary(record) == [
        ["", "msgqueue", "best Python peer", "best rq", "best of Node and Ruby"],
        ["jobs/s", "300", "100 fast (3.00x)", "10 rq (30.00x)", "3,000 node (0.10x)"],
        ["us", "2.0", "8.0 fast (4.00x)", "80.0 rq (40.00x)", "1.0 node (0.50x)"],
    ]


def test_the_details_show_everybody_who_was_measured(record: Record) -> None:
    assert list(report.details(record)) == [
        [
            ["", "jobs/s", "us"],
            ["msgqueue", "300", "2.0"],
            ["rq", "10", "80.0"],
            ["fast", "100", "8.0"],
            ["node", "3,000", "1.0"],
            ["floor", "5,000", "1.0"],
        ]
    ]


def test_a_column_may_show_several_contenders(record: Record) -> None:
    second = Contender("ours otherwise", MSGQUEUE, 1, role="ours", shown_as="msgqueue")

    record.add(second, {"more": 7.0})

    assert record.middle("msgqueue", Figure("more", "more", "most")) == 7.0
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
    assert "| jobs/s | 300 | 100 fast (3.00x) | 10 rq (30.00x) | 3,000 node (0.10x) |" in text
    assert "| floor | 5,000 | 1.0 |" in text
    assert "old" not in text
    bars = plot.read_text()
    places = [bars.index(f">{name}<") for name in ("floor", "node", "msgqueue", "fast", "rq")]
    assert places == sorted(places)


def test_the_page_has_the_marks() -> None:
    text = docs.PAGE.read_text()

    assert text.count(docs.BEGIN) == text.count(docs.END) == 1
