"""Say where a measured number comes from: commit, machine and versions."""

import os
import platform
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from helpers import quiet_start
from tools.common.paths import ROOT


def git(*arguments):
    """Return what git prints in the repository, or None."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True
        )
    except OSError:
        return None
    return done.stdout.rstrip() if done.returncode == 0 else None


def own_repository():
    """Return whether this folder is the top of a repository of its own.

    A copy without its history, inside somebody else's repository, is none.
    """
    top = git("rev-parse", "--show-toplevel")
    return top is not None and Path(top).resolve() == ROOT


def changed_files():
    """Return the files that differ from the last commit, or None without a history.

    What recording itself writes, folders in runs/, does not count.
    """
    if not own_repository():
        return None
    own = ("--", ".", ":(exclude)runs/*/*", ":(exclude)runs/notebooks.csv")
    listed = git("status", "--porcelain", "--untracked-files=all", *own)
    return None if listed is None else [line[3:] for line in listed.splitlines()]


def commit():
    """Return the commit of this repository, "-dirty" if files differ, or "unknown"."""
    changed = changed_files()
    if changed is None:
        return "unknown"
    return git("rev-parse", "HEAD") + ("-dirty" if changed else "")


def machine():
    """Return the processor, the number of its cores, and the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(x.split(":")[1].strip() for x in lines if "model name" in x)
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }


def loaded_versions():
    """Return the versions of Python, Keras, its engine and NumPy, by name."""
    with quiet_start():
        import keras

    names = (keras.backend.backend(), "keras", "numpy")
    found = {name: import_module(name).__version__ for name in names}
    return {"python": platform.python_version(), **found}


def peak_bytes(children=False):
    """Return the most memory that this process or its children held, if known."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def provenance():
    """Return commit, machine and versions, as a record holds them."""
    return {"commit": commit(), "machine": machine(), "versions": loaded_versions()}
