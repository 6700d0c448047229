"""The process behind `with Supervisor(...)`: python -m msgqueue.worker MODULE:QUEUE OPTIONS."""

import json
import os
import signal
import subprocess
import sys

from msgqueue import apps
from msgqueue.observe import logs
from msgqueue.settings import Settings
from msgqueue.worker.supervisor import Supervisor

# Tells the supervisor when the owner has gone. A process, since a supervisor that forks its
# children has no threads.
WATCH = 'read -r _; kill -TERM "$1" 2>/dev/null'


def main(reference: str, options: str) -> int:
    """Run the supervisor that the command line describes, until the owner ends it or is gone."""
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level)
    queue = apps.load(reference)
    # Only the watcher reads the owner's pipe; the supervisor and its children must not hold it.
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", WATCH, "msgqueue-watch", str(os.getpid())], stdin=sys.stdin
    )
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        return Supervisor(queue, **json.loads(options)).run()
    finally:
        watcher.send_signal(signal.SIGKILL)
        watcher.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
