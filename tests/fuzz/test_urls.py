"""Redis urls: an endpoint, or an error that names the url and none of its secrets."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.effort import fuzzed
from tests.fuzz.strategies import any_text, can_be_sent, plain_text

from msgqueue.endpoint import Endpoint, from_url
from msgqueue.errors import ConfigurationError

SECRET = "s3cr3tpassw0rd"

schemes = st.sampled_from(("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"))
hosts = st.sampled_from(
    ("", "localhost", "127.0.0.1", "[::1]", "[::1", "a b", "a,b:1", "a:1,b:2", "h%2Fx", "%40", "ä")
)
ports = st.sampled_from(("", ":", ":6379", ":0", ":-1", ":99999999", ":x", ":٣", ":" + "9" * 5_000))
paths = st.sampled_from(("", "/", "/0", "/15", "/x", "/mymaster", "/mymaster/2", "/m/x", "/a/b/c"))
options = st.sampled_from(
    (
        *("socket_timeout=2", "socket_timeout=x", "db=3", "db=x", "nope=1", "protocol=3"),
        *("ssl_cert_reqs=none", "ssl_cert_reqs=x", "health_check_interval=x", "max_connections=x"),
        *("retry_on_timeout=yes", "decode_responses=1", "client_name=a"),
        *("sentinel_username=u", "path=/x", "host=other", "port=x", "retry_on_error=x", "ssl=1"),
    )
)
queries = st.lists(options, max_size=3).map(lambda some: f"?{'&'.join(some)}" if some else "")


@st.composite
def secrets(draw: st.DrawFn) -> str:
    """A password with signs in it, some of which a url cannot carry as they are."""
    signs = draw(st.text("/#?@:%[] &=+é", max_size=2))
    whole = SECRET[:7] + signs + SECRET[7:]
    return draw(st.sampled_from((whole, quote(whole, safe=""))))


@st.composite
def urls(draw: st.DrawFn, secret: str = "") -> str:
    user = draw(st.sampled_from(("", "user", "us%40er")))
    login = f"{user}:{secret}@" if secret else draw(st.sampled_from(("", "user@", "@", ":@")))
    where = draw(hosts) + draw(ports) + draw(paths) + draw(queries)
    return f"{draw(schemes)}://{login}{where}"


@fuzzed(250)
@given(url=urls() | any_text | any_text.map("redis://".__add__))
def test_a_url_is_an_endpoint_or_a_mistake_in_configuration(url: str) -> None:
    try:
        endpoint = from_url(url)
    except ConfigurationError as error:
        told = str(error)
    else:
        told = endpoint.address
        assert isinstance(endpoint, Endpoint)
    assert can_be_sent(told)


@fuzzed(250)
@given(data=st.data(), secret=secrets())
def test_neither_an_error_nor_an_address_quotes_a_password(
    data: st.DataObject, secret: str
) -> None:
    try:
        told = repr(from_url(data.draw(urls(secret))))
    except ConfigurationError as error:
        told = str(error)

    assert SECRET[:7] not in told
    assert SECRET[7:] not in told


@fuzzed(200)
@given(url=urls())
def test_an_endpoint_is_the_same_by_its_own_url(url: str) -> None:
    try:
        endpoint = from_url(url)
    except ConfigurationError:
        return
    again = from_url(endpoint.url())
    assert again == endpoint


@fuzzed(100)
@given(host=plain_text, user=any_text.filter(str.strip), password=any_text.filter(str.strip))
def test_credentials_come_back_as_they_were(host: str, user: str, password: str) -> None:
    try:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    except UnicodeEncodeError:
        return
    endpoint = from_url(f"redis://{login}@{host}/1")

    assert (endpoint.options["username"], endpoint.options["password"]) == (user, password)
    assert from_url(endpoint.url()) == endpoint


@pytest.mark.parametrize("sign", ["#", "?", "/"])
def test_a_sign_that_has_to_be_encoded_is_told_of(sign: str) -> None:
    with pytest.raises(ConfigurationError, match="Percent-encode") as told:
        from_url(f"redis://user:123{sign}456@host:6379/0")

    assert "123" not in str(told.value)
