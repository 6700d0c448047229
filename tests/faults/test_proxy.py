"""The network of the fault tests does to requests and replies what it is told to, and no more."""

import random
from collections.abc import Callable, Iterator

import pytest
import redis
from tests.faults.proxy import CUTS, Fault, Proxy, Rule
from tests.faults.resp import Splitter, asked

from msgqueue.store.script import script

Connect = Callable[..., redis.Redis]


@pytest.fixture
def proxy(url: str, choice: random.Random) -> Iterator[Proxy]:
    proxy = Proxy(url, choice)
    yield proxy
    proxy.close()


@pytest.fixture
def connect(proxy: Proxy) -> Iterator[Connect]:
    """`connect()` gives a client that sends nothing twice by itself."""
    clients: list[redis.Redis] = []

    def connect(timeout: float = 5.0, **options: int) -> redis.Redis:
        never = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        found = redis.Redis.from_url(proxy.url, socket_timeout=timeout, retry=never, **options)
        clients.append(found)
        return found

    yield connect
    for one in clients:
        one.close()


MESSAGES = (
    b"+OK\r\n", b":12\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$4\r\na\r\nb\r\n", b"*0\r\n",
    b"*-1\r\n", b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", b"%1\r\n+a\r\n*1\r\n:1\r\n", b"_\r\n",
    b">2\r\n+a\r\n+b\r\n", b"|1\r\n+a\r\n+b\r\n:1\r\n", b"=5\r\ntxt:a\r\n", b"~1\r\n#t\r\n",
)  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_whole_with_its_last_byte(message: bytes) -> None:
    pieces = Splitter()
    for at in range(len(message) - 1):
        assert list(pieces.feed(message[at : at + 1])) == []
    assert list(pieces.feed(message[-1:])) == [message]
    assert list(Splitter().feed(message * 3)) == [message] * 3


def test_a_request_is_known_by_its_script() -> None:
    work = script("work")
    for command in (b"EVALSHA", work.sha), (b"EVAL", work.text):
        packed = redis.connection.PythonRespSerializer(100, lambda word: word).pack(*command, b"0")
        assert asked(b"".join(packed)) == "work"
    assert asked(b"*2\r\n$3\r\nGet\r\n$1\r\nx\r\n") == "get"


@pytest.mark.parametrize("fault", CUTS)
def test_a_connection_is_cut_before_or_after_redis_has_done_it(
    proxy: Proxy, connect: Connect, client: redis.Redis, fault: Fault
) -> None:
    proxy.be(Rule(fault, steps=frozenset({"incrby"}), spared=1, most=1))
    there = connect()
    there.incr("counted")

    with pytest.raises(redis.ConnectionError):
        there.incr("counted")

    done = fault in (Fault.REPLY_LOST, Fault.REPLY_CUT)
    assert client.get("counted") == (b"2" if done else b"1")
    assert there.incr("counted") == (3 if done else 2)
    assert proxy.met == {fault: 1}


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.HALTED])
def test_an_answer_may_come_late(proxy: Proxy, connect: Connect, fault: Fault) -> None:
    proxy.be(Rule(fault, steps=frozenset({"echo"}), seconds=0.4))
    patient, hasty = connect(), connect(timeout=0.1)

    assert patient.echo("word") == b"word"
    with pytest.raises(redis.TimeoutError):
        hasty.echo("word")


def test_a_request_may_come_twice(proxy: Proxy, connect: Connect, client: redis.Redis) -> None:
    proxy.be(Rule(Fault.COPIED, steps=frozenset({"rpush"}), seconds=0.05))

    assert connect().rpush("list", "one") == 1

    assert client.blmove("list", "seen", 5) == b"one"
    assert client.blmove("list", "seen", 5) == b"one"


def test_a_silent_connection_stands_and_new_ones_do_well(proxy: Proxy, connect: Connect) -> None:
    old = connect(timeout=0.2)
    old.ping()
    proxy.fall_silent()

    with pytest.raises(redis.TimeoutError):
        old.ping()
    assert connect().ping()


def test_in_the_dark_all_waits_until_it_is_healed(
    proxy: Proxy, connect: Connect, client: redis.Redis
) -> None:
    there = connect(timeout=0.2)
    there.ping()
    proxy.go_dark()

    with pytest.raises(redis.TimeoutError):
        there.rpush("list", "late")
    with pytest.raises(redis.TimeoutError):
        there.ping()
    assert client.llen("list") == 0
    proxy.heal()

    assert connect().ping()
    assert client.blmove("list", "seen", 4) == b"late"


def test_pushes_answer_no_request(proxy: Proxy, connect: Connect, client: redis.Redis) -> None:
    proxy.be(Rule(Fault.REPLY_LOST, steps=frozenset({"echo"})))
    there = connect(protocol=3)
    with there.pubsub() as heard:
        heard.subscribe("channel")
        assert heard.get_message(timeout=5)
        client.publish("channel", "word")
        message = heard.get_message(timeout=5)
        assert message
        assert message["data"] == b"word"
        heard.ping()
        assert heard.get_message(timeout=5)


def test_the_same_seed_strikes_the_same_requests(url: str) -> None:
    def struck(seed: int) -> list[int]:
        proxy = Proxy(url, random.Random(seed))
        proxy.be(Rule(Fault.COPIED, share=0.2))
        try:
            return [number for number in range(200) if proxy.meets("work").fault]
        finally:
            proxy.close()

    assert struck(1) == struck(1) != struck(2)
    assert 20 < len(struck(1)) < 60
