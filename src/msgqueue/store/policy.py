"""Whether a server would drop jobs by itself when its memory is full."""

import redis

from msgqueue.connection import Source

SAFE = "noeviction"


def eviction(source: Source) -> str | None:
    """The policy by which this server drops keys; None where it drops none, or will not tell."""
    try:
        policy = source.client().info("memory").get("maxmemory_policy")
    except (redis.RedisError, OSError):  # forbidden, unknown, or away
        return None
    return None if policy in (None, SAFE) else str(policy)
