"""Who may call: API keys, a FastAPI dependency of the host's, or everybody."""

import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final

from fastapi import Request, Security
from fastapi.params import Depends as DependsParam
from fastapi.requests import HTTPConnection
from fastapi.security import APIKeyHeader, HTTPBasic, HTTPBearer

from msgqueue.errors import ConfigurationError
from msgqueue.server.guard import refuse_foreign
from msgqueue.server.problems import Problem
from msgqueue.settings import Settings

logger = logging.getLogger(__name__)


class Keys(Enum):
    """The default of `auth`: the keys that the environment names."""

    FROM_ENVIRONMENT = "MSGQUEUE_API_KEYS"


FROM_ENVIRONMENT: Final = Keys.FROM_ENVIRONMENT

Auth = Callable[..., Any] | DependsParam | None | Keys
"""A FastAPI dependency that raises for who may not; None: everybody; left out: API keys."""


class _HeaderScheme(APIKeyHeader):
    """Only tells OpenAPI of the scheme; ApiKeys reads the request."""

    async def __call__(self, request: HTTPConnection) -> None:
        """Nothing."""


class _BearerScheme(HTTPBearer):
    """Only tells OpenAPI of the scheme; ApiKeys reads the request."""

    async def __call__(self, request: HTTPConnection) -> None:
        """Nothing."""


class _BasicScheme(HTTPBasic):
    """Only tells OpenAPI of the scheme; ApiKeys reads the request."""

    async def __call__(self, request: HTTPConnection) -> None:
        """Nothing."""


_header = Security(_HeaderScheme(name="X-API-Key", scheme_name="API key"))
_bearer = Security(_BearerScheme(scheme_name="API key as bearer"))
_basic = Security(_BasicScheme(scheme_name="API key as password", description="Any user name."))


class ApiKeys:
    """A dependency that lets through who brings one of some keys.

    A key comes as `X-API-Key`, as a bearer token, or as the password of HTTP Basic, by which a
    browser opens the documentation and the dashboard. Only hashes are kept; all of them are
    compared, in constant time.

    Args:
        keys: the keys that hold; two, while one replaces the other.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = tuple(_digest(key.encode()) for key in keys if key)
        if not self._digests:
            raise ConfigurationError("ApiKeys() needs at least one key that is not empty")

    async def __call__(
        self, request: Request, _h: None = _header, _b: None = _bearer, _p: None = _basic
    ) -> None:
        """Raise the 401, or the 403 of a foreign page that rides on a browser's Basic login."""
        scheme, given = _presented(request)
        if given is None or not self._holds(given):
            raise _unauthorized(given)
        if scheme == "basic":
            refuse_foreign(request)

    def _holds(self, given: bytes) -> bool:
        digest, found = _digest(given), False
        for known in self._digests:
            found |= hmac.compare_digest(known, digest)
        return found


def resolved(auth: Auth) -> DependsParam:
    """The dependency that guards a router.

    Raises:
        ConfigurationError: `auth` was left out and no key is set.
    """
    if auth is None:
        logger.warning("the msgqueue API is open to everyone who can reach it: auth=None")
        return DependsParam(_everybody)
    if isinstance(auth, Keys):
        return DependsParam(_from_environment())
    return auth if isinstance(auth, DependsParam) else DependsParam(auth)


async def _everybody() -> None:
    """Lets everyone through."""


def _from_environment() -> ApiKeys:
    keys = Settings.from_environment().api_keys
    if not keys:
        raise ConfigurationError(
            "who may call the API? Set MSGQUEUE_API_KEYS (or MSGQUEUE_API_KEYS_FILE) to one or"
            " more keys, or pass auth=, a FastAPI dependency such as your current_user."
            " auth=None opens it to everyone"
        )
    return ApiKeys(keys)


def _presented(request: Request) -> tuple[str, bytes | None]:
    """How a key came, and the key."""
    if (key := request.headers.get("x-api-key")) is not None:
        return "header", key.encode("latin-1")
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return "bearer", value.strip().encode("latin-1")
        case "basic":
            return "basic", _password(value.strip())
    return "none", None


def _password(value: str) -> bytes | None:
    try:
        user_and_password = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return user_and_password.partition(b":")[2]


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _unauthorized(given: bytes | None) -> Problem:
    told = (
        "No API key came with the request."
        if given is None
        else "The API key that came with the request does not hold."
    )
    how = " Send it as X-API-Key, as Authorization: Bearer, or as the password of HTTP Basic."
    challenge = {"WWW-Authenticate": 'Basic realm="msgqueue", charset="UTF-8"'}
    return Problem(401, "unauthorized", told + how, challenge)
