"""Render the site, run all tests, then the notebooks against their stored outputs.

On CIFAR-100, every output is compared. Where it is not at hand, the notebooks run on
the stand-in, and the outputs that do not depend on the images are compared. A server
for tests does both.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from unittest import mock

import nbformat
import pandas as pd

from helpers import DataError, NoDataError, load_data
from helpers.export import NOTEBOOKS
from helpers.runs import RUNS
from tools.common.environment import guarded, isolated, list_fonts
from tools.common.exercises import uses_data
from tools.common.paths import ROOT
from tools.pages.render import NO_RENDERER

PYTEST = [sys.executable, "-m", "pytest"]
# Two files at a time: a third less time on two cores, and no more memory than two take.
# They start in the order in which they are named, which is the longest first.
TWO = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
# The stand-in shows that every cell runs without the data, for which few images do:
# training on many is what the comparison on CIFAR-100 does. Some notebooks need more.
FEW = "2000"
NEEDED = {
    "01-data": "always",  # its outputs are the sizes of the whole data
    "transfer": "15000",  # it takes 100 images of each new class
}


def comparison(mode, *paths):
    """Return the command that compares notebooks with their stored outputs."""
    sanitize = f"--nbval-sanitize-with={ROOT / 'tests' / 'nbval.cfg'}"
    return [*PYTEST, *paths, mode, "--nbval-current-env", sanitize]


def notebooks():
    """Return the notebooks in Python, that which took longest when executed first.

    The one in R is compared by tests/test_r.py, where R is at hand, and the one in
    PyTorch only where PyTorch is.
    """
    table = pd.read_csv(RUNS / "notebooks.csv", index_col="notebook")
    found = sorted(NOTEBOOKS.glob("*.ipynb"))
    left_out = {"lecture-in-r"}
    if importlib.util.find_spec("torch") is None:
        left_out.add("lecture-in-pytorch")
    found = [path for path in found if path.stem not in left_out]
    return sorted(found, key=lambda path: -table["seconds"].get(path.stem, 0))


def compare(mode, stand_in, paths):
    """Run nbval over notebooks, guarded; return its exit status."""
    if not paths:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        environment = guarded(folder, stand_in)
        list_fonts(environment)  # or two notebooks at once would wait for each other
        command = [*comparison(mode, *paths), *TWO]
        return subprocess.call(command, cwd=ROOT, env=environment)


def compare_on_stand_in(paths):
    """Run notebooks on the stand-in, each on as many images as it needs."""
    by_size = {}
    for path in paths:
        by_size.setdefault(NEEDED.get(path.stem, FEW), []).append(path)
    statuses = [compare("--nbval-lax", size, few) for size, few in by_size.items()]
    return max(statuses, default=0)


def with_data():
    """Return the notebooks that load data: on another, the rest does the same again."""
    return [path for path in notebooks() if uses_data(nbformat.read(path, 4))]


def run_tests():
    """Run the tests, without the user's settings; return pytest's exit status."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [*PYTEST, *TWO, "tests"]
        return subprocess.call(command, cwd=ROOT, env=isolated(folder))


def main():
    if not (ROOT / "tests").exists():
        raise SystemExit("The student edition has no tests.")
    try:
        with mock.patch.dict(os.environ, CIFAR100_STAND_IN="never"):
            load_data(download=False)
        strict = True
    except NoDataError as error:
        strict = False
        print(f"{error} Until then the notebooks are tested on the stand-in only.")
    except DataError as error:
        raise SystemExit(f"Not tested: {error}") from None
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not at hand: lecture-in-pytorch.ipynb is not compared.")
    rendered = subprocess.call([sys.executable, "-m", "tools.pages.render"], cwd=ROOT)
    failed = {"pages": rendered not in (0, NO_RENDERER)}
    failed["tests"] = run_tests()
    if strict:
        failed["notebooks"] = compare("--nbval", "never", notebooks())
    if not strict or os.environ.get("CI"):
        paths = with_data() if strict else notebooks()
        failed["notebooks on the stand-in"] = compare_on_stand_in(paths)
    for what, status in failed.items():
        result = "failed, see above" if status else "passed"
        if what == "pages" and rendered == NO_RENDERER:
            result = "not rendered"
        print(f"{what}: {result}")
    raise SystemExit(int(any(failed.values())))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; nothing of the notebooks has changed.") from None
