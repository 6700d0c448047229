"""One Redis as redis-py needs it described: read from a url, or from a client that exists.

`description` is the thing itself and makes pools; `url` and `client` read it; `resolving` asks for
it anew whenever a connection is made.
"""

from msgqueue.endpoint.client import from_client
from msgqueue.endpoint.description import SOCKET_TIMEOUT, Endpoint
from msgqueue.endpoint.url import from_url

__all__ = ["SOCKET_TIMEOUT", "Endpoint", "from_client", "from_url"]
