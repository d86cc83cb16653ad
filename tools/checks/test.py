"""Render the site, run all tests, then the notebooks against their stored outputs.

On CIFAR-100, every output is compared. Where it is not at hand, and on a server for
tests, the notebooks run on the stand-in, and the outputs that do not depend on the
images are compared.
"""

import os
import subprocess
import sys
import tempfile
from unittest import mock

from helpers import DataError, NoDataError, load_data
from tools.common.environment import guarded, isolated, list_fonts
from tools.common.paths import ROOT
from tools.pages.render import NO_RENDERER

PYTEST = [sys.executable, "-m", "pytest"]
# Two files at a time: a third less time on two cores, and no more memory than two take.
TWO = ["-n", "2", "--dist", "loadfile"]


def comparison(mode, path="notebooks"):
    """Return the command that compares notebooks with their stored outputs."""
    sanitize = f"--nbval-sanitize-with={ROOT / 'tests' / 'nbval.cfg'}"
    return [*PYTEST, path, mode, "--nbval-current-env", sanitize]


def compare(mode, stand_in):
    """Run nbval over the notebooks in Python, guarded; return its exit status.

    The one in R is compared by tests/test_r.py, where R is at hand.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = guarded(folder, stand_in)
        list_fonts(environment)  # or two notebooks at once would wait for each other
        command = [*comparison(mode), *TWO, "--ignore=notebooks/lecture-in-r.ipynb"]
        return subprocess.call(command, cwd=ROOT, env=environment)


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
    rendered = subprocess.call([sys.executable, "-m", "tools.pages.render"], cwd=ROOT)
    failed = {"pages": rendered not in (0, NO_RENDERER)}
    failed["tests"] = run_tests()
    if strict:
        failed["notebooks"] = compare("--nbval", "never")
    if not strict or os.environ.get("CI"):
        failed["notebooks on the stand-in"] = compare("--nbval-lax", "always")
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
