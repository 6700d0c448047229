"""What the environment and the defaults say; the only reader of `MSGQUEUE_*`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from msgqueue.errors import ConfigurationError

DEFAULT_QUEUE = "default"
DEFAULT_TIMEOUT = 180
"""Seconds a run may take."""
DEFAULT_RESULT_TTL = 500
"""Seconds a result is kept."""
DEFAULT_FAILURE_TTL = 31_536_000
"""Seconds a failed job is kept: one year."""
DEFAULT_MAX_DELIVERIES = 3
"""How often a job may be started whose process dies."""
PAUSES_BETWEEN_OFFERS = (2, 4, 8, 16, 30)
"""Seconds after which a job that a worker's code cannot carry out is offered to workers again."""
MAX_PAYLOAD = 1_048_576
"""Bytes of encoded arguments that one job may carry."""

SECRET_NAMES = frozenset(
    {
        "MSGQUEUE_REDIS_PASSWORD",
        "MSGQUEUE_REDIS_PASSWORD_FILE",
        "MSGQUEUE_API_KEYS",
        "MSGQUEUE_API_KEYS_FILE",
    }
)
"""Variables that the processes which run jobs must not inherit."""

LogFormat = Literal["text", "json"]
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; arguments given in code win over it.

    Attributes:
        redis_url: MSGQUEUE_REDIS_URL; None means the embedded server.
        redis_password: MSGQUEUE_REDIS_PASSWORD[_FILE]; used where the url names none.
        api_keys: MSGQUEUE_API_KEYS[_FILE], separated by commas or white space.
        home: MSGQUEUE_HOME, the folder of the embedded server; default `.msgqueue` here.
        redis_server: MSGQUEUE_REDIS_SERVER, the executable of the embedded server;
            None means the one that is found.
        log_format: MSGQUEUE_LOG, `text` or `json`.
        log_level: MSGQUEUE_LOG_LEVEL, one of LOG_LEVELS.
    """

    redis_url: str | None = field(default=None, repr=False)  # may carry a password
    redis_password: str | None = field(default=None, repr=False)
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    home: Path = field(default_factory=lambda: Path.cwd() / ".msgqueue")
    redis_server: str | None = None
    log_format: LogFormat = "text"
    log_level: str = "info"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; an empty variable counts as absent.

        Raises:
            ConfigurationError: a value cannot be used; names the variable and the cure.
        """
        return cls(
            redis_url=_text(environ, "MSGQUEUE_REDIS_URL"),
            redis_password=_secret(environ, "MSGQUEUE_REDIS_PASSWORD"),
            api_keys=_api_keys(environ),
            home=_home(environ),
            redis_server=_text(environ, "MSGQUEUE_REDIS_SERVER"),
            log_format=cast(LogFormat, _choice(environ, "MSGQUEUE_LOG", LOG_FORMATS, "text")),
            log_level=_choice(environ, "MSGQUEUE_LOG_LEVEL", LOG_LEVELS, "info"),
        )


def _text(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip() or None


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    """The value of `name`, or what the file named by `name`_FILE holds; never in an error."""
    value, file = environ.get(name) or None, _text(environ, f"{name}_FILE")
    if file is None:
        return value
    if value is not None:
        raise ConfigurationError(f"{name} and {name}_FILE are both set: unset one of them")
    try:
        content = Path(file).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError, RuntimeError) as error:
        reason = _why_unreadable(error)
        raise ConfigurationError(
            f"{name}_FILE={file!r} cannot be read: {reason}."
            " Name a text file that this user may read"
        ) from None
    if not content.strip():
        raise ConfigurationError(
            f"{name}_FILE={file!r} is empty: write the secret into it, or unset {name}_FILE"
        )
    return content


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "it is no file"
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)


def _api_keys(environ: Mapping[str, str]) -> tuple[str, ...]:
    keys = tuple((_secret(environ, "MSGQUEUE_API_KEYS") or "").replace(",", " ").split())
    if not all(key.isascii() and key.isprintable() for key in keys):
        raise ConfigurationError(
            "MSGQUEUE_API_KEYS has a key that no HTTP header can carry:"
            " use letters, digits and ASCII signs"
        )
    return tuple(dict.fromkeys(keys))


def _home(environ: Mapping[str, str]) -> Path:
    value = _text(environ, "MSGQUEUE_HOME")
    try:
        return Path(value).expanduser().absolute() if value else Path.cwd() / ".msgqueue"
    except (RuntimeError, FileNotFoundError) as error:
        raise ConfigurationError(
            f"MSGQUEUE_HOME={value!r} cannot be used: {error}. Name an absolute folder"
        ) from None


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = _text(environ, name)
    if value is None:
        return default
    if value.lower() not in choices:
        raise ConfigurationError(
            f"{name}={value!r} cannot be used: it is one of {', '.join(choices)}"
        )
    return value.lower()
