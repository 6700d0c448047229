"""The command msgqueue-serve, as a real process on a free port."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.patience import wait_until

from msgqueue.serve import _listen

Start = Callable[..., "Served"]
WITHIN = 20.0  # seconds; the machine may be busy
APP = """
from msgqueue import TaskQueue

queue = TaskQueue(queues=("low", "lower"))

@queue.task
def double(number: int) -> int:
    return number * 2

text = "no queue"
"""


class Served:
    """One msgqueue-serve that runs."""

    def __init__(self, home: Path, *args: str, **environ: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MSGQUEUE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "msgqueue.serve", "--port", "0", *args],
            cwd=home,
            env={**clean, "MSGQUEUE_HOME": str(home / "data"), "PYTHONPATH": _path(), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        assert self.process.stdout is not None
        self.lines = [self.process.stdout.readline().rstrip() for _ in range(5)]
        self.url = (re.findall(r"http://\S+:\d+", self.lines[0]) or [""])[0]

    def call(self, path: str, body: object = None, **headers: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 - http
        if data is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=WITHIN) as answer:  # noqa: S310 - http
            return json.load(answer)

    def until(self, condition: Callable[[], Any]) -> Any:
        return wait_until(condition, WITHIN, lambda: "the log:\n" + "\n".join(self.log), pause=0.05)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(WITHIN)
        self._reader.join(WITHIN)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(WITHIN)
        self._reader.join(WITHIN)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip())


def _path() -> str:
    return str(Path(__file__).parents[2] / "src")


@pytest.fixture
def start(short_path: Path) -> Iterator[Start]:
    running: list[Served] = []

    def start(*args: str, **environ: str) -> Served:
        running.append(Served(short_path, *args, **environ))
        return running[-1]

    yield start
    for served in running:
        served.close()


def test_one_command_receives_runs_lists_cancels_and_ends(start: Start) -> None:
    served = start("--processes", "1")

    done = served.call("/app/tasks/receive", {"title": "test_task"})["job_id"]
    failed = served.call("/app/tasks/receive", {"task": "fail", "args": ["on purpose"]})["job_id"]
    cancelled = served.call("/app/tasks/receive", {"title": "another"})["job_id"]
    assert served.call("/app/tasks/cancel", {"job_id": cancelled}) == {
        "job_id": cancelled,
        "status": "canceled",
    }

    step = served.until(lambda: served.call(f"/v1/jobs/{done}")["meta"])
    assert step["of"] == 4
    (finished,) = served.until(lambda: served.call("/app/tasks/finished_jobs"))
    assert (finished["job_id"], finished["result"]["title"]) == (done, "test_task")
    (listed,) = served.until(lambda: served.call("/app/tasks/failed_jobs"))
    assert (listed["job_id"], listed["error"]["message"]) == (failed, "on purpose")
    assert [job["job_id"] for job in served.call("/app/tasks/cancelled_jobs")] == [cancelled]
    assert served.call("/app/tasks/queued_jobs") == []

    assert served.end() == 0
    assert any("step 1 of 4" in line and f"job={done}" in line for line in served.log)
    assert any("request" in line and "path=/app/tasks/receive" in line for line in served.log)
    assert not any("test_task" in line for line in served.log)


def test_a_running_job_is_stopped_within_a_second(start: Start) -> None:
    served = start("--processes", "1")
    job_id = served.call("/app/tasks/receive", {"title": "test_task"})["job_id"]
    served.until(lambda: served.call(f"/v1/jobs/{job_id}")["meta"])

    assert served.call("/app/tasks/cancel", {"job_id": job_id})["status"] == "stopped"

    (failed,) = served.call("/app/tasks/failed_jobs")
    assert (failed["job_id"], failed["status"]) == (job_id, "stopped")


def test_ctrl_c_in_a_terminal_ends_all_of_it(start: Start) -> None:
    served = start("--processes", "2")
    served.call("/healthz")

    os.killpg(served.process.pid, signal.SIGINT)

    assert served.process.wait(WITHIN) == 0
    assert _in_session(served.process.pid) == []


def test_the_web_server_comes_back_when_it_is_killed(start: Start) -> None:
    served = start("--processes", "1")
    served.call("/healthz")
    time.sleep(3.1)  # one that ends sooner counts as not started
    (pid,) = (re.findall(r"pid=(\d+)", line) for line in served.log if "web server started" in line)

    os.kill(int(pid[0]), signal.SIGKILL)

    assert served.until(lambda: _answers(served))


def test_no_process_is_left_when_the_supervisor_is_killed(start: Start) -> None:
    served = start("--processes", "1")
    served.call("/healthz")

    served.process.kill()

    served.until(lambda: _in_session(served.process.pid) == [])


def test_an_app_of_ones_own_is_served_and_five_lines_tell_where(
    start: Start, short_path: Path
) -> None:
    (short_path / "shop.py").write_text(APP)
    served = start("shop:queue", "--processes", "1", "--default-task", "double")

    job = served.call("/v1/jobs", {"task": "double", "args": [21]})

    assert served.until(lambda: served.call(f"/v1/jobs/{job['id']}")["result"]) == 42
    assert served.lines == [
        f"API        {served.url}/docs (no key, this machine only)",
        f"dashboard  {served.url}/rq",
        f"Redis      unix://{short_path}/data/redis.sock",
        f"data       {short_path}/data",
        "workers    1 process for low, lower; Ctrl-C ends all",
    ]
    assert served.end(signal.SIGTERM) == 0


def test_without_workers_it_serves_alone(start: Start) -> None:
    served = start("--processes", "0")

    served.call("/app/tasks/receive", {"title": "x"})

    assert len(served.call("/app/tasks/queued_jobs")) == 1
    assert served.lines[4] == "workers    none here; Ctrl-C ends all"
    assert served.end() == 0


def test_with_a_key_it_may_listen_everywhere_and_asks_for_the_key(start: Start) -> None:
    served = start("--processes", "0", "--host", "0.0.0.0", MSGQUEUE_API_KEYS="a-key")  # noqa: S104 - allowed
    served.url = served.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - what it listens on

    with pytest.raises(urllib.error.HTTPError, match="401"):
        served.call("/v1/jobs")

    assert served.call("/v1/jobs", **{"X-API-Key": "a-key"})["items"] == []
    assert served.lines[0].endswith("(with a key of MSGQUEUE_API_KEYS)")


def test_logs_may_be_json(start: Start) -> None:
    served = start("--processes", "0", MSGQUEUE_LOG="json")
    served.call("/healthz")
    served.end()

    events = [json.loads(line) for line in served.log]

    (request,) = (event for event in events if event["event"] == "request")
    assert (request["path"], request["status"], request["level"]) == ("/healthz", 200, "info")


def refused(home: Path, *args: str, **environ: str) -> str:
    served = Served(home, *args, **environ)
    try:
        assert served.process.wait(WITHIN) == 2
    finally:
        served.close()
    assert served.lines[0] == ""
    (line,) = served.log
    return line


def test_beyond_loopback_it_wants_a_key_and_says_what_to_do(short_path: Path) -> None:
    assert refused(short_path, "--host", "0.0.0.0") == (  # noqa: S104 - it is refused
        "msgqueue-serve: refusing to listen on 0.0.0.0 without an API key: everyone who reaches it"
        ' could enqueue and cancel jobs. Set one, such as MSGQUEUE_API_KEYS="$(openssl rand -hex'
        ' 32)", or listen on 127.0.0.1'
    )


def test_a_range_of_processes_follows_the_load_and_one_that_cannot_be_read_is_told(
    start: Start, short_path: Path
) -> None:
    served = start("--processes", "1-3")
    assert served.lines[4].split(maxsplit=1)[1].startswith("1-3 processes for default")
    assert served.call("/healthz")

    assert refused(short_path, "--processes", "few") == (
        "msgqueue-serve: --processes few: give a number, 4, or a range, 2-8"
    )


def test_a_port_that_is_about_to_be_free_is_waited_for() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    freed = threading.Timer(0.5, taken.close)
    freed.start()
    with _listen("127.0.0.1", taken.getsockname()[1]) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
    freed.join()


def test_a_port_in_use_is_one_line(short_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(short_path, "--port", str(port))

    assert line == (
        f"msgqueue-serve: cannot listen on 127.0.0.1:{port}: Address already in use."
        " Choose another with --port, or end what listens there"
    )


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_cannot_be_is_one_line(short_path: Path, port: str) -> None:
    assert refused(short_path, f"--port={port}") == (
        f"msgqueue-serve: cannot listen on 127.0.0.1:{port}: give an address of this machine, and a"
        " port of 0 to 65535"
    )


def test_a_host_that_does_not_exist_is_one_line(short_path: Path) -> None:
    line = refused(short_path, "--host", "no such host", MSGQUEUE_API_KEYS="k" * 32)

    assert line.startswith("msgqueue-serve: cannot listen on no such host:0: give an address")


def test_a_wrong_app_is_one_line(short_path: Path) -> None:
    (short_path / "shop.py").write_text(APP)

    assert "text is a str, no TaskQueue" in refused(short_path, "shop:text")


def test_a_wrong_default_task_is_one_line(short_path: Path) -> None:
    assert "no task 'nope' is registered" in refused(short_path, "--default-task", "nope")


def test_a_missing_extra_is_one_line(short_path: Path) -> None:
    (short_path / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'fastapi' else find(name, *a)\n"
    )

    line = refused(short_path, PYTHONPATH=f"{short_path}:{_path()}")

    assert line == ("msgqueue-serve: the HTTP server needs fastapi: pip install 'msgqueue[server]'")


def _answers(served: Served) -> bool:
    try:
        return bool(served.call("/healthz"))
    except OSError:
        return False


def _in_session(pid: int) -> list[str]:
    """Commands of the living processes in a session."""
    found = subprocess.run(
        ["ps", "-o", "pid=,stat=,args=", "-s", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in found.stdout.splitlines() if line.split()[1][0] != "Z"]
