"""What a call of Redis that failed means to its caller."""

from typing import Any, Final

import redis

from msgqueue.connection import Source
from msgqueue.errors import QueueFull, RedisError, RedisRefused, RedisUnavailable, ValueTooLarge
from msgqueue.store.policy import largest_value
from msgqueue.store.steps import Step

#: Redis answers, and takes no writes for now. Some servers wrap the word inside another error.
AWAY: Final = (
    "READONLY",
    "MASTERDOWN",
    "LOADING",
    "MISCONF",
    "NOREPLICAS",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "BUSY ",
    "UNBLOCKED",
)

REFUSED: Final = (redis.AuthenticationError, redis.exceptions.AuthorizationError)

#: Bytes that a value may have on any server: none can be set to less.
NEVER_TOO_LARGE: Final = 1 << 20


def failure_of(error: redis.RedisError | OSError, step: Step[Any], source: Source) -> RedisError:
    """What a failed call with a step means. May ask Redis, where `may_be_too_large`.

    Redis hangs up on a value that is too large, most often before it could be told why.
    """
    if may_be_too_large(step) and (size := _largest(step)) > largest_value(source):
        return ValueTooLarge(source.address, size)
    return failure(error, source.address)


def may_be_too_large(step: Step[Any]) -> bool:
    """Whether there are servers that take no value as large as one of the step's arguments."""
    return _largest(step) > NEVER_TOO_LARGE


def failure(error: redis.RedisError | OSError, address: str) -> RedisError:
    """What a failed call means, whatever was sent."""
    told = str(error) or type(error).__name__
    if isinstance(error, redis.exceptions.OutOfMemoryError) or told.startswith("OOM "):
        return QueueFull(address)
    if isinstance(error, redis.exceptions.ReadOnlyError | redis.exceptions.BusyLoadingError):
        return RedisUnavailable(address, told)
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
        if isinstance(error, REFUSED):
            return RedisRefused(address, told)
        return RedisUnavailable(address, told)
    if any(word in told for word in AWAY):
        return RedisUnavailable(address, told)
    return RedisRefused(address, told)


def unsendable(error: UnicodeEncodeError, address: str) -> RedisRefused:
    """An argument that is no text: half of a surrogate pair, or what Python reads of bytes."""
    return RedisRefused(address, f"{error.object!r} is no text that can be sent")


def _largest(step: Step[Any]) -> int:
    return max((len(arg) for arg in step.args if isinstance(arg, bytes | str)), default=0)
