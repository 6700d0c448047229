from pathlib import Path

import pytest

from msgqueue.errors import ConfigurationError
from msgqueue.settings import SECRET_NAMES, Settings


def read(**environ: str) -> Settings:
    return Settings.from_environment(environ)


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = read()
    assert settings == Settings(home=Path.cwd() / ".msgqueue")
    assert settings.redis_url is None
    assert settings.api_keys == ()


def test_every_variable_is_read() -> None:
    settings = read(
        MSGQUEUE_REDIS_URL="redis://here/1",
        MSGQUEUE_REDIS_PASSWORD="pw",
        MSGQUEUE_API_KEYS="one, two\nthree two",
        MSGQUEUE_HOME="/srv/mq",
        MSGQUEUE_REDIS_SERVER="/opt/redis-server",
        MSGQUEUE_LOG="JSON",
        MSGQUEUE_LOG_LEVEL="Debug",
    )
    assert settings == Settings(
        redis_url="redis://here/1",
        redis_password="pw",
        api_keys=("one", "two", "three"),
        home=Path("/srv/mq"),
        redis_server="/opt/redis-server",
        log_format="json",
        log_level="debug",
    )


def test_an_empty_variable_counts_as_absent() -> None:
    assert read(MSGQUEUE_REDIS_URL="", MSGQUEUE_API_KEYS=" ", MSGQUEUE_LOG="") == read()


def test_a_relative_home_becomes_absolute() -> None:
    assert read(MSGQUEUE_HOME="data/mq").home == Path.cwd() / "data/mq"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pa ss\n")
    (tmp_path / "keys").write_text("one\ntwo\n")
    settings = read(
        MSGQUEUE_REDIS_PASSWORD_FILE=str(tmp_path / "password"),
        MSGQUEUE_API_KEYS_FILE=str(tmp_path / "keys"),
    )
    assert settings.redis_password == "pa ss"
    assert settings.api_keys == ("one", "two")


def test_a_secret_given_twice_is_refused_without_telling_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(MSGQUEUE_REDIS_PASSWORD="hush", MSGQUEUE_REDIS_PASSWORD_FILE="/a/file")
    assert str(caught.value) == (
        "MSGQUEUE_REDIS_PASSWORD and MSGQUEUE_REDIS_PASSWORD_FILE are both set: unset one of them"
    )


def test_a_secret_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(MSGQUEUE_API_KEYS_FILE="/no/such/file")
    assert str(caught.value) == (
        "MSGQUEUE_API_KEYS_FILE='/no/such/file' cannot be read: No such file or directory."
        " Name a text file that this user may read"
    )


def test_the_home_of_a_user_who_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError, match="FILE='~nobody-of-this-name/keys' cannot be read"):
        read(MSGQUEUE_API_KEYS_FILE="~nobody-of-this-name/keys")


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("\n")
    with pytest.raises(ConfigurationError, match="is empty: write the secret into it, or unset"):
        read(MSGQUEUE_API_KEYS_FILE=str(tmp_path / "keys"))


@pytest.mark.parametrize(
    ("name", "value", "choices"),
    [
        ("MSGQUEUE_LOG", "yaml", "text, json"),
        ("MSGQUEUE_LOG_LEVEL", "loud", "debug, info, warning, error, critical"),
    ],
)
def test_a_bad_choice_names_variable_value_and_cure(name: str, value: str, choices: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**{name: value})
    assert str(caught.value) == f"{name}={value!r} cannot be used: it is one of {choices}"


def test_a_key_that_no_header_can_carry_is_refused_without_telling_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(MSGQUEUE_API_KEYS="schlüssel")
    assert "schlüssel" not in str(caught.value)
    assert str(caught.value).startswith("MSGQUEUE_API_KEYS has a key that no HTTP header can carry")


def test_no_secret_shows_in_the_repr() -> None:
    settings = read(
        MSGQUEUE_REDIS_URL="redis://:hush@here",
        MSGQUEUE_REDIS_PASSWORD="hush",
        MSGQUEUE_API_KEYS="hush",
    )
    assert "hush" not in repr(settings)


def test_job_children_are_told_which_variables_are_secret() -> None:
    assert (
        frozenset(
            {
                "MSGQUEUE_REDIS_PASSWORD",
                "MSGQUEUE_REDIS_PASSWORD_FILE",
                "MSGQUEUE_API_KEYS",
                "MSGQUEUE_API_KEYS_FILE",
            }
        )
        == SECRET_NAMES
    )
