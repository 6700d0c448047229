"""The Redis-compatible server that msgqueue starts, or shares, when it is given no url.

`home` holds the rules of its folder, `binary` finds the executable, `process` starts one server
and ties its life to ours, `server` decides between starting and sharing.
"""

from msgqueue.embedded.server import EmbeddedServer, ensure

__all__ = ["EmbeddedServer", "ensure"]
