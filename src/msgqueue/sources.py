"""Which Redis a TaskQueue speaks to: a url, a client, the environment's, or the embedded server."""

from collections.abc import Callable

import redis

from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer
from msgqueue.errors import ConfigurationError
from msgqueue.settings import Settings


def connector(
    url: str | None, client: redis.Redis | None, settings: Settings | None
) -> Callable[[], Source]:
    """What gives the source, at the first use; what was given is checked here and now.

    Raises:
        ConfigurationError: the url or client cannot be used, or both were given.
    """
    if url is not None and client is not None:
        raise ConfigurationError("url and connection exclude each other: give one of them")
    if client is not None:
        source = Source(client=client)
        return lambda: source
    if url is not None:
        given = Source(url, settings=settings or Settings.from_environment())
        return lambda: given
    return lambda: _default_source(settings or Settings.from_environment())


def _default_source(settings: Settings) -> Source:
    if settings.redis_url is not None:
        return Source(settings.redis_url, settings=settings)
    server = EmbeddedServer(settings)
    return Source(resolve=server.ensure, attempt=server.attempt)
