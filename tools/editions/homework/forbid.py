"""Forbid system calls by which a submission could get round its limits.

This holds for the process that calls it and for all that it starts, and cannot be
undone. It is a filter of Linux (seccomp) for these calls:

- new namespaces and mounts: memory in them belongs to no process and is not counted;
- sockets of other families than those that need a network, of which there is none: one
  of them (vsock) leads from a virtual machine to its host, past the namespaces;
- io_uring, which makes other calls without being asked by this filter.
"""

import ctypes
import errno
import os
import platform
import socket

# By machine: the mark of its system calls, and their numbers.
CALLS = {
    "x86_64": (
        0xC000003E,
        {"socket": 41, "clone": 56, "mount": 165, "unshare": 272, "setns": 308},
    ),
    "aarch64": (
        0xC00000B7,
        {"socket": 198, "clone": 220, "mount": 40, "unshare": 97, "setns": 268},
    ),
}
# These have the same numbers everywhere.
SHARED = {"io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "clone3": 435}
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16)  # 16: netlink
NEW_USER = 0x10000000  # CLONE_NEWUSER, without which no other namespace can be had
OTHER_ABI = 0x40000000  # x32: the same calls by other numbers
LOAD, IF_EQUAL, IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER, MACHINE, FIRST = 0, 4, 16  # where they stand in what the filter sees
ALLOWED, REFUSED = 0x7FFF0000, 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2


class Instruction(ctypes.Structure):
    """One instruction of a filter: `sock_filter` in linux/filter.h."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class Program(ctypes.Structure):
    """A filter: `sock_fprog` in linux/filter.h."""

    _fields_ = (
        ("length", ctypes.c_uint16),
        ("instructions", ctypes.POINTER(Instruction)),
    )


def refuse(error):
    return (RETURN, 0, 0, REFUSED | error)


def program(machine):
    """Return the instructions of the filter for a machine."""
    mark, numbers = CALLS[machine]
    made = [
        (LOAD, 0, 0, MACHINE),
        (IF_EQUAL, 1, 0, mark),
        refuse(errno.EPERM),
        (LOAD, 0, 0, NUMBER),
        (IF_SET, 0, 1, OTHER_ABI),
        refuse(errno.EPERM),
    ]
    numbers = numbers | SHARED
    for name in ("mount", "unshare", "setns", "open_tree", "fsopen"):
        made += [(IF_EQUAL, 0, 1, numbers[name]), refuse(errno.EPERM)]
    for name in ("io_uring_setup", "clone3"):  # programs go on with older calls
        made += [(IF_EQUAL, 0, 1, numbers[name]), refuse(errno.ENOSYS)]
    made += [
        (IF_EQUAL, 0, 4, numbers["clone"]),
        (LOAD, 0, 0, FIRST),
        (IF_SET, 0, 1, NEW_USER),
        refuse(errno.EPERM),
        (RETURN, 0, 0, ALLOWED),
    ]
    last = len(FAMILIES)
    made += [(IF_EQUAL, 0, last + 2, numbers["socket"]), (LOAD, 0, 0, FIRST)]
    made += [(IF_EQUAL, last - n, 0, family) for n, family in enumerate(FAMILIES)]
    return [*made, refuse(errno.EAFNOSUPPORT), (RETURN, 0, 0, ALLOWED)]


def forbid():
    """Set the filter.

    Raises
    ------
    OSError
        If this system does not let it be set.
    """
    machine = platform.machine()
    if machine not in CALLS:
        raise OSError(errno.ENOSYS, f"system calls of {machine} are not known")
    made = program(machine)
    instructions = (Instruction * len(made))(*made)
    filters = Program(len(made), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(filters), 0, 0),
    ):
        if libc.prctl(*call) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {os.strerror(number)}")


if __name__ == "__main__":
    forbid()
