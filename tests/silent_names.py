"""A process in a network of its own, in which names are asked of a server that never answers."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWNET: Final = 0x40000000
MS_BIND: Final = 0x1000
MS_REC_PRIVATE: Final = 0x4000 | 0x40000
SIOCSIFFLAGS: Final = 0x8914


def enter(hosts: Path) -> socket.socket:
    """Move this process there; for root alone.

    Args:
        hosts: what stands in place of /etc/hosts; it may be rewritten later.

    Returns:
        The socket of the server that is silent: keep it open.

    Raises:
        PermissionError: the system does not let us.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) or libc.mount(b"", b"/", b"", MS_REC_PRIVATE, None):
        raise PermissionError(ctypes.get_errno(), "no namespaces")
    resolver = hosts.with_name("resolv.conf")
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    for ours, path in ((hosts, b"/etc/hosts"), (resolver, b"/etc/resolv.conf")):
        if libc.mount(bytes(ours), path, b"", MS_BIND, None):
            raise PermissionError(ctypes.get_errno(), "no mounts")
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(silent, SIOCSIFFLAGS, struct.pack("16sh", b"lo", 1))  # up
    silent.bind(("127.0.0.1", 53))
    return silent


def possible() -> bool:
    """Whether this machine lets us."""
    check = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x40020000))"
    linux = sys.platform.startswith("linux") and os.geteuid() == 0
    return linux and subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def answers(port: int) -> bool:
    """Whether somebody listens on that port of this network."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
