"""Runs a command, and reaps what its processes leave, as an init that rq's tests count on."""

import ctypes
import os
import sys

PR_SET_CHILD_SUBREAPER = 36


def main(*command: str) -> int:
    """Run a command; its exit code."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = os.posix_spawnp(command[0], command, os.environ)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
