"""The siege finds nothing wrong with our workers, and would find what is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.server import Server
from rq import Queue
from rq.serializers import JSONSerializer

from benchmarks import rq_view


@pytest.mark.slow
@pytest.mark.parametrize("beside", [(), ("--mixed",)], ids=["alone", "beside rq"])
def test_a_short_siege_ends_with_every_job_done(beside: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill_workers", "--seed", "7", "--jobs", "500", *beside],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert "WRONG" not in done.stdout
    assert done.returncode == 0, done.stderr


def test_the_three_views_complain_of_a_job_that_is_still_queued(
    redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rq_view, "REPORTED_WITHIN", 0.0)
    Queue(connection=redis.client, serializer=JSONSerializer).enqueue("benchmarks.work.noop", 1, 2)

    found = list(rq_view.complaints(redis, 1, 2))

    assert "rq's API: 1 jobs still queued" in found
    assert "rq's API: 0 of 1 jobs in FinishedJobRegistry" in found
    assert any(line.startswith("rq info: default") for line in found)
    assert any(line.startswith("rq-dashboard: {'count': 1") for line in found)
