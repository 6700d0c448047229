"""What a server is set to: whether it drops jobs when it is full, and how large a value may be."""

import redis

from msgqueue.connection import Source

SAFE = "noeviction"
LARGEST = "proto-max-bulk-len"
USUAL = 512 << 20  # bytes


def eviction(source: Source) -> str | None:
    """The policy by which this server drops keys; None where it drops none, or will not tell."""
    try:
        policy = source.client().info("memory").get("maxmemory_policy")
    except (redis.RedisError, OSError):  # forbidden, unknown, or away
        return None
    return None if policy in (None, SAFE) else str(policy)


def largest_value(source: Source) -> int:
    """How many bytes a value may have; the default of servers where this one will not tell."""
    try:
        told = source.client().config_get(LARGEST)
    except (redis.RedisError, OSError):  # forbidden, unknown, or away
        return USUAL
    return int(told.get(LARGEST) or USUAL)
