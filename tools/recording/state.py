"""What all workers must have in common; as a program, it prints that of this copy.

It needs no Keras, so that a worker answers at once.
"""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version

from helpers import DataError, load_data
from tools.recording.jobs import jobs
from tools.recording.syntax import sha256

PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu", "jax", "torch")


def common_state():
    """Return the hash of all recorded code, the versions, and whether data is there."""
    codes = "".join(sorted({job.code_sha256 for job in jobs()}))
    try:
        load_data(download=False)
        data = "at hand"
    except DataError:
        data = "missing"
    return {
        "code": sha256(codes.encode()),
        "versions": installed_versions(),
        "data": data,
    }


def installed_versions():
    """Return the versions of Python and of the packages that compute, without Keras.

    A record has those that a training has loaded: `provenance.loaded_versions`.
    """
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    os.environ["CIFAR100_STAND_IN"] = "never"
    print(json.dumps(common_state()))
