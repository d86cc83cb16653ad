"""Forbids connections to other machines, and writing outside the lecture's folders.

Python imports this by itself where this folder is on PYTHONPATH: `make test` runs the
notebooks on the stand-in so. What is forbidden stops the cell that tried it. Libraries
in C, such as HDF5, and other programs are not watched.
"""

import contextlib
import ipaddress
import os
import socket
import sys
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

FOLDERS = [Path(__file__).parents[3], sys.prefix, tempfile.gettempdir()]
FOLDERS += ["/dev", "/proc/self"]
with contextlib.suppress(RuntimeError):  # a user without a home folder has no cache
    FOLDERS.append(user_cache_path("cifar100-lecture"))
ALLOWED = [os.path.realpath(folder) for folder in FOLDERS]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# Where in an event's arguments are the paths that it changes, and the open folder that
# a relative one starts from.
PATHS = {
    "os.mkdir": ([0], 2),
    "os.rmdir": ([0], 1),
    "os.remove": ([0], 1),
    "os.rename": ([0, 1], 2),
    "os.link": ([1], 3),
    "os.symlink": ([1], 2),
    "sqlite3.connect": ([0], None),
}
HOSTS = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0}
ADDRESSES = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}


def is_this_machine(host):
    """Return whether a host name or address is of this machine."""
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_allowed(path):
    """Return whether a path is in one of the lecture's folders."""
    if path == ":memory:" or not isinstance(path, str | bytes | os.PathLike):
        return True
    path = os.path.realpath(os.fsdecode(path))
    return any(Path(path).is_relative_to(folder) for folder in ALLOWED)


def watch(event, arguments):
    """Raise PermissionError where an audited event is a forbidden one."""
    hosts, paths = [], []
    if event in HOSTS:
        hosts = [arguments[HOSTS[event]]]
    elif event in ADDRESSES:
        address = arguments[ADDRESSES[event]]
        hosts = [address[0]] if isinstance(address, tuple) else []  # or a local socket
    elif event in PATHS:
        places, folder = PATHS[event]
        if folder is None or arguments[folder] < 0:  # else that folder was checked
            paths = [arguments[place] for place in places]
    elif event == "open" and arguments[2] & WRITING:
        paths = [arguments[0]]
    for host in hosts:
        if not is_this_machine(host):
            raise PermissionError(f"a connection to {host} was tried")
    for path in paths:
        if not is_allowed(path):
            raise PermissionError(f"writing to {path} was tried")


sys.addaudithook(watch)
