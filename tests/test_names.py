"""A name that nobody resolves holds nobody up for longer than the time limit of connecting."""

from pathlib import Path

import pytest
from tests import silent_names
from tests.conftest import Python

pytestmark = pytest.mark.skipif(
    not silent_names.possible(), reason="only root on Linux can have a network of its own"
)

CONNECTS = """
import socket, sys, threading, time
from pathlib import Path
import redis
from tests import silent_names
from msgqueue.connection import Source

silent = silent_names.enter(Path(sys.argv[1]))
plain = threading.Thread(target=socket.getaddrinfo, args=("redis.test", 1), daemon=True)
plain.start()
began = time.monotonic()
connection = Source(sys.argv[2]).connection(connect_timeout=0.5)
try:
    connection.connect()
except (redis.TimeoutError, redis.ConnectionError) as error:
    print(type(error).__name__, error, file=sys.stderr)
seconds = time.monotonic() - began
print(seconds, plain.is_alive(), threading.active_count() == 2, flush=True)
"""

WORKS = """
import signal, subprocess, sys, time
from pathlib import Path
from tests import silent_names
from tests.patience import wait_until
from tests.worker import app
from tests.worker.crew import Crew
from msgqueue.connection import Source
from msgqueue.embedded import binary

hosts, notes = Path(sys.argv[1]), Path(sys.argv[2])
hosts.write_text("127.0.0.1 redis.test localhost")
silent = silent_names.enter(hosts)
command = [binary.find(None), "--port", "6379", "--save", "", "--dir", str(hosts.parent)]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
source = Source("redis://redis.test:6379")
with app.queue._runner.diverted(source):
    wait_until(lambda: silent_names.answers(6379))
    crew = Crew("redis://redis.test:6379", notes)
    supervisor = crew.start(processes=1)
    crew.enqueue("hold_the_interpreter", timeout=3)
    wait_until(lambda: crew.noted() == ["holds"])
    began = time.monotonic()
    (child,) = supervisor.children()
    hosts.write_text("")
    server.kill()
    wait_until(lambda: child not in supervisor.children())
    print(time.monotonic() - began, flush=True)
    supervisor.signal(signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis.test:6379",
        "rediss://redis.test:6379",
        "redis+sentinel://redis.test:26379/shop",
        "rediss+sentinel://redis.test:26379/shop?sentinel_ssl=true",
    ],
)
def test_a_look_up_that_hangs_is_given_up(python: Python, short_path: Path, url: str) -> None:
    (short_path / "hosts").touch()

    said = python(CONNECTS, short_path / "hosts", url).communicate(timeout=60)[0].split()

    seconds, hung, alone = said
    assert (hung, alone) == ("True", "True")  # the system's own look-up went on hanging
    assert float(seconds) < 5


@pytest.mark.slow
def test_promise_7_a_time_limit_holds_while_the_name_of_redis_is_not_resolved(
    python: Python, short_path: Path
) -> None:
    process = python(WORKS, short_path / "hosts", short_path / "notes")

    seconds = float(process.communicate(timeout=60)[0])

    assert seconds < 3 + 2 + 2  # its limit, what was promised, and a busy machine's own time
