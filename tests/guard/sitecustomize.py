"""Forbids connections to other machines, and writing outside the lecture's folders.

Python imports this by itself where this folder is on PYTHONPATH: `make test` runs the
notebooks on the stand-in so. What is forbidden stops the cell that tried it.
"""

import os
import sys
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

ALLOWED = [
    Path(__file__).resolve().parents[2],
    Path(sys.prefix).resolve(),
    Path(tempfile.gettempdir()).resolve(),
    user_cache_path("cifar100-lecture"),
    Path("/dev"),
    Path("/proc/self"),
]
LOOPBACK = ("127.", "::1", "localhost")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def watch(event, arguments):
    """Raise PermissionError where an audited event is a forbidden one."""
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        address = arguments[0 if event == "socket.getaddrinfo" else 1]
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(address, tuple) or event == "socket.getaddrinfo":
            if host and not str(host).startswith(LOOPBACK):
                raise PermissionError(f"a connection to {host} was tried")
    elif event in ("open", "os.mkdir"):
        path = arguments[0]
        writes = event == "os.mkdir" or arguments[2] & WRITING
        if writes and isinstance(path, str | bytes | os.PathLike):
            path = Path(os.fsdecode(path)).absolute()
            if not any(path.is_relative_to(folder) for folder in ALLOWED):
                raise PermissionError(f"writing to {path} was tried")


sys.addaudithook(watch)
