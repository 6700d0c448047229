"""kill -9 of all workers in mid-run: which jobs never finish, which run twice, how long it takes.

Run it in this folder: python kill_workers.py. 200 jobs of 50 ms, two processes, default settings,
workers started again at once, 90 seconds of waiting: the trial that README compares with peers.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from msgqueue import JobStatus, TaskQueue

JOBS = 200
KILL_AFTER = 0.5  # of them
PATIENCE = 90.0

queue = TaskQueue()


@queue.task
def work(number: int, notes: str) -> int:
    with open(notes, "a") as file:  # one short line: appended in one piece
        file.write(f"{number}\n")
    time.sleep(0.05)
    return number


def main() -> None:
    with TemporaryDirectory(prefix="msgqueue-kill-") as folder:
        os.environ["MSGQUEUE_HOME"] = folder
        notes = Path(folder, "notes")
        notes.touch()
        with TaskQueue() as looks:  # keeps the embedded server; the workers share it
            trial(looks, notes)


def trial(looks: TaskQueue, notes: Path) -> None:
    task = looks.task(work.function)
    looks.enqueue_many(task.spec(number, str(notes)) for number in range(JOBS))
    workers = start()
    while len(notes.read_text().split()) < JOBS * KILL_AFTER:
        time.sleep(0.01)
    for pid in (workers.pid, *children_of(workers.pid)):
        os.kill(pid, signal.SIGKILL)
    workers.wait()
    killed = time.monotonic()
    workers = start()
    try:
        while (done := looks.counts()[JobStatus.FINISHED]) < JOBS:
            if time.monotonic() - killed > PATIENCE:
                break
            time.sleep(0.05)
        seconds = time.monotonic() - killed
    finally:
        workers.terminate()
        workers.wait()
    runs = Counter(notes.read_text().split())
    twice = sum(count > 1 for count in runs.values())
    print(f"{JOBS - done} of {JOBS} never finished, {twice} ran twice, {seconds:.1f} s to the last")


def children_of(parent: int) -> list[int]:
    """The worker processes; each may lead a process group of its own."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in listed.stdout.split()]


def start() -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "msgqueue.cli", "worker", "kill_workers:queue"]
    return subprocess.Popen([*command, "--processes", "2"], start_new_session=True)


if __name__ == "__main__":
    main()
