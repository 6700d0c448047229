"""`with Supervisor(...)`, and children that are spawned instead of forked."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Eventually

from msgqueue import TaskQueue
from msgqueue.errors import ConfigurationError
from msgqueue.worker.supervisor import Supervisor

ROOT = Path(__file__).parents[2]

SHOP = """
from msgqueue import Supervisor, TaskQueue
queue = TaskQueue()

@queue.task
def add(a: int, b: int) -> int:
    return a + b
"""
OWNER = """
import sys
from shop import Supervisor, add, queue
with queue, Supervisor(queue, processes=2) as supervisor:
    print(add.enqueue(1, 2).result(timeout=20), flush=True)
    if "stay" in sys.argv:
        print(supervisor.pid, flush=True)
        sys.stdin.read()
"""
SPAWN = """
import threading
from shop import Supervisor, add, queue
threading.Thread(target=threading.Event().wait, daemon=True).start()
if __name__ == "__main__":
    job = add.enqueue(1, 2)
    Supervisor(queue, burst=True).run()
    print(job.result(timeout=0), flush=True)
"""


@pytest.fixture
def folder(short_path: Path) -> Path:
    for name, text in (("shop", SHOP), ("owner", OWNER), ("spawn", SPAWN)):
        (short_path / f"{name}.py").write_text(text)
    return short_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'src'}"}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_script_has_its_own_worker_while_the_block_lasts(folder: Path) -> None:
    out, err = start(folder, "owner.py").communicate(timeout=60)
    assert out == "3\n"
    assert "worker ended" in err


def test_the_worker_ends_when_its_owner_is_killed(folder: Path, eventually: Eventually) -> None:
    owner = start(folder, "owner.py", "stay")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "3\n"
    supervisor = int(owner.stdout.readline())
    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate(timeout=30)
    eventually(lambda: not Path(f"/proc/{supervisor}").exists(), 20)


def test_children_are_spawned_where_the_app_started_threads(folder: Path) -> None:
    out, err = start(folder, "spawn.py").communicate(timeout=60)
    assert out == "3\n", err
    assert "children are spawned" in err


def test_a_task_queue_that_no_module_has_is_refused(url: str) -> None:
    with (
        pytest.raises(ConfigurationError, match="assign it to a global of a module"),
        Supervisor(TaskQueue(url)),
    ):
        pass
