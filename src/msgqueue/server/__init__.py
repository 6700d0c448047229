"""The HTTP side of msgqueue, for FastAPI apps: pip install 'msgqueue[server]'."""

from msgqueue.server.app import create_app
from msgqueue.server.auth import ApiKeys
from msgqueue.server.dashboard import mount_dashboard
from msgqueue.server.legacy import create_legacy_router
from msgqueue.server.router import create_router

__all__ = [
    "ApiKeys",
    "create_app",
    "create_legacy_router",
    "create_router",
    "mount_dashboard",
]
