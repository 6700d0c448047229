"""What a supervisor's children are called, and what rq shows of them."""

import os
import platform
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from msgqueue.store.codec import time_text
from msgqueue.store.steps import Worker


@dataclass(frozen=True, slots=True)
class Identity:
    """This supervisor's machine and process, as its children's registrations tell it."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    birth: str = field(default_factory=lambda: time_text(datetime.now(UTC)))
    rq_version: str = field(default_factory=lambda: version("rq"))

    def worker_name(self, lane_id: str) -> str:
        """A child's name among rq's workers; it ends with the lane."""
        return f"msgqueue.{self.host}.{self.pid}.{lane_id}"

    def shown(self, pid: int, queues: tuple[str, ...]) -> Worker:
        """A child's registration."""
        return Worker(
            queues, pid, self.host, "", self.rq_version, platform.python_version(), self.birth
        )
