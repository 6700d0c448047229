"""The code of README and tutorial runs as it is printed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r'```python(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)```', re.DOTALL)


def run(folder: Path, *arguments: str) -> str:
    """What `python ARGUMENTS` prints in that folder."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


def environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MSGQUEUE_")}
    return kept | {"PYTHONPATH": os.pathsep.join((".", str(ROOT / "src")))}


@contextmanager
def worker(folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "msgqueue.cli", "worker", "shop:queue", "--processes", "2"],
        cwd=folder,
        env=environment(),
    )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
def shop(short_path: Path) -> Path:
    """A folder with the tutorial's files."""
    for block in BLOCK.finditer((ROOT / "docs" / "tutorial.md").read_text()):
        (short_path / block["title"]).write_text(block["code"])
    return short_path


def test_the_tutorial_prints_what_it_says(shop: Path) -> None:
    assert run(shop, "enqueue.py").split()[1] == "queued"

    with worker(shop):
        results = run(shop, "results.py").splitlines()
        later = run(shop, "later.py").splitlines()

    assert results[0].startswith("8 5.00 ")
    assert results[1:] == ["calls: 2", "ValueError - cannot charge less than nothing"]
    assert later[:3] == ["scheduled", "canceled", "1"]
    assert later[3].split()[1:] == ["charge", "failed"]


def test_the_tests_of_the_tutorial_pass(shop: Path) -> None:
    assert "1 passed" in run(shop, "-m", "pytest", "-q", "test_shop.py")


def test_the_app_of_the_readme_serves_the_api(short_path: Path) -> None:
    block = BLOCK.search((ROOT / "README.md").read_text())
    assert block is not None
    (short_path / "shop.py").write_text(block["code"])

    paths = run(short_path, "-c", "import shop; print(*shop.app.openapi()['paths'], sep='\\n')")

    assert "/queue/v1/jobs" in paths.split()
    assert "/orders/{order}/charge" in paths.split()
