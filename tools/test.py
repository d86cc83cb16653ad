"""Render the site, run all tests, then the notebooks against their stored outputs.

Strictly on CIFAR-100 where it is at hand, and everywhere on the stand-in, where only
the outputs that do not depend on the images are compared, and where connections and
writing outside the lecture's folders are forbidden.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from render import NO_RENDERER

from helpers import DataError, NoDataError, load_cifar100

ROOT = Path(__file__).resolve().parents[1]


def guarded(folder):
    """Return an environment in which notebooks use the stand-in, and nothing outside.

    What Jupyter, Keras and Matplotlib would write into the home folder, they write
    into `folder`; tests/guard refuses the rest, and all connections.
    """
    own = ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "KERAS_HOME", "MPLCONFIGDIR")
    return {
        **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        **dict.fromkeys(own, folder),
        "PYTHONPATH": str(ROOT / "tests" / "guard"),
        "CIFAR100_STAND_IN": "always",
    }


def main():
    if not (ROOT / "tests").exists():
        raise SystemExit(
            "The student edition has no tests: run them in the whole repository."
        )
    modes = ["--nbval", "--nbval-lax"]
    os.environ["CIFAR100_STAND_IN"] = "never"
    try:
        load_cifar100(download=False)
    except NoDataError as error:
        modes.remove("--nbval")
        print(f"{error} Until then the notebooks are tested on the stand-in only.")
    except DataError as error:
        raise SystemExit(f"Not tested: {error}") from None
    else:
        print("CIFAR-100 is at hand: every output of the notebooks is compared.")
    rendered = subprocess.call([sys.executable, ROOT / "tools" / "render.py"])
    pytest = [sys.executable, "-m", "pytest"]
    nbval = ["notebooks", "--nbval-current-env"]
    nbval += ["--nbval-sanitize-with=tests/nbval.cfg"]
    failed = rendered not in (0, NO_RENDERER)
    failed |= subprocess.call([*pytest, "tests"], cwd=ROOT)
    for mode in modes:
        with tempfile.TemporaryDirectory() as folder:
            failed |= subprocess.call(
                [*pytest, *nbval, mode],
                cwd=ROOT,
                env=guarded(folder) if mode == "--nbval-lax" else os.environ,
            )
    raise SystemExit(int(bool(failed)))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; nothing of the notebooks has changed.") from None
