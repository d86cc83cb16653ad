"""The environment in which notebooks are executed."""

import os
from pathlib import Path

GUARD = Path(__file__).with_name("guard")


def guarded(folder, stand_in):
    """Return an environment in which notebooks connect and write to nothing outside.

    What Jupyter, Keras and Matplotlib would write into the home folder, they write
    into `folder`; tools/common/guard refuses the rest, and all connections.
    """
    kept = Path.home() / ".keras" / "datasets"
    if os.name == "posix" and kept.exists():
        (Path(folder) / "datasets").symlink_to(kept)  # of keras.datasets
    own = ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "KERAS_HOME", "MPLCONFIGDIR")
    return {
        **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        **dict.fromkeys(own, folder),
        "PYTHONPATH": str(GUARD),
        "CIFAR100_STAND_IN": stand_in,
    }
