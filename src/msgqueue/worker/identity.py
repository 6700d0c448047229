"""What a supervisor's children are called, and what rq shows of them."""

import os
import platform
import socket
from dataclasses import dataclass, field
from importlib.metadata import version

from msgqueue.store.codec import now_text
from msgqueue.store.messages import Worker
from msgqueue.worker.terms import Terms


@dataclass(frozen=True, slots=True)
class Identity:
    """This supervisor's machine and process, as its children's registrations tell it.

    Attributes:
        name: of its only child, which then shows the supervisor's pid; None: each child has a
            name and shows a pid of its own.
    """

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    birth: str = field(default_factory=now_text)
    rq_version: str = field(default_factory=lambda: version("rq"))
    python_version: str = field(default_factory=platform.python_version)
    ip_address: str = ""
    name: str | None = None

    def worker_name(self, lane_id: str) -> str:
        """A child's name among rq's workers."""
        return self.name or f"msgqueue.{self.host}.{self.pid}.{lane_id}"

    def shown(self, pid: int, terms: Terms) -> Worker:
        """A child's registration."""
        return Worker(
            terms.queues,
            self.pid if self.name else pid,
            self.host,
            self.ip_address,
            self.rq_version,
            self.python_version,
            self.birth,
            terms.max_deliveries,
            terms.result_ttl,
            terms.lets_end,
        )
