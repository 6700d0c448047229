"""How a process that is not forked from this one finds the same TaskQueue."""

import contextlib
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from msgqueue import apps
from msgqueue.connection import Source
from msgqueue.errors import ConfigurationError
from msgqueue.observe import logs
from msgqueue.queue import TaskQueue
from msgqueue.settings import Settings

MAIN = ("__main__", "__mp_main__")


def reference(queue: TaskQueue) -> str:
    """`module:attribute` of a TaskQueue that is a global of an imported module.

    Raises:
        ConfigurationError: it is none.
    """
    modules = sorted(
        sys.modules.items(), key=lambda one: one[0] in MAIN
    )  # a copy in them counts last
    for name, module in modules:
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if value is queue:
                return f"{_importable(name, module)}:{attribute}"
    raise ConfigurationError(
        "another process cannot find this TaskQueue: assign it to a global of a module,"
        " such as `queue = TaskQueue()` at the top level of shop.py"
    )


def _importable(name: str, module: ModuleType) -> str:
    """The name by which a fresh interpreter imports a module that may be the running script."""
    if name not in MAIN:
        return name
    spec = getattr(module, "__spec__", None)
    if spec is not None:  # python -m package.module
        return str(spec.name)
    return Path(getattr(module, "__file__", None) or "the interactive session").stem


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a spawned process needs to work for the same TaskQueue.

    Attributes:
        app: where the TaskQueue is.
        url: where its Redis is; None for a client that no url describes, which the app makes anew.
        logs: whether this process' log was set up by our own command.
    """

    app: str
    url: str | None
    logs: bool

    @classmethod
    def of(cls, queue: TaskQueue) -> "Recipe":
        """The recipe for a TaskQueue."""
        url = None
        with contextlib.suppress(ConfigurationError):
            url = queue.source.url
        ours = (logs.TextFormatter, logs.JsonFormatter)
        handlers = logging.getLogger().handlers
        return cls(reference(queue), url, any(isinstance(h.formatter, ours) for h in handlers))

    def follow(self, stack: contextlib.ExitStack) -> TaskQueue:
        """The TaskQueue, in the spawned process; it is its own again when the stack is closed."""
        settings = Settings.from_environment()
        if self.logs:
            logs.configure(settings.log_format, settings.log_level)
        queue = apps.load(self.app)
        if self.url is not None:
            stack.enter_context(queue.diverted(Source(self.url)))
        return queue


def command_line_environment() -> dict[str, str]:
    """This process' environment, with its module path, for a fresh interpreter."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path}
