"""Make .venv from requirements.lock; stop with one sentence where that cannot work.

`tools/setup.py dev` adds what the tests need. Run by the Makefile with whatever Python
is there, so it keeps to the syntax of 3.6.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = VENV / "setup.log"
NEEDED_GB = 3  # what .venv and the downloads take, with some room
# A .venv holds the path of its folder and is of one Python: another one starts afresh.
VERSION = sys.version.split()[0]
MADE_FOR = f"{ROOT}\n{VERSION}\n"
WINDOWS = sys.platform == "win32"
FITTING = [(3, minor) for minor in (13, 12, 11, 10)]  # TensorFlow has releases for them
# What nobody needs of the packages: TensorFlow's headers for C++ are a fifth of .venv.
UNUSED = ("tensorflow/include", "pandas/tests")
# Windows takes paths of 259 characters where long ones are not enabled; the longest of
# TensorFlow 2.21 below site-packages has 163.
LONGEST = 259 - len("\\.venv\\Lib\\site-packages\\") - 163
LONG_PATHS = (
    "enable long paths in Windows (learn.microsoft.com: Maximum Path Length Limitation)"
    " or move the folder to a shorter path, and run it again."
)
# Importing once compiles what the notebooks need, and shows whether it starts here.
IMPORTS = "IPython, ipykernel.kernelapp, jupyterlab.labapp, keras, seaborn"
CAUSES = {  # what pip says, and what that means
    "Long Path support": "a path is too long; " + LONG_PATHS,
    "No space left|Disk quota": f"the disk is full; make {NEEDED_GB} GB free and run it"
    " again.",
    "[Cc]onnection|timed out|resolve": "the packages could not be downloaded; check the"
    " network (or the proxy) and run it again, it goes on where it was.",
    "No matching distribution": "pip found no fitting package: either this system has"
    " none (TensorFlow has none for Intel Macs and Windows on ARM), or the package"
    " index is out of reach; see .venv/setup.log.",
    "ensurepip": "Python's venv module is not complete; install it (on Debian: apt"
    " install python3-venv) and run it again.",
    "": "it failed; the messages are in .venv/setup.log.",
}


def stop(sentence):
    sys.exit("Set-up stopped: " + sentence)


def output(*command):
    """Return what a command prints, or None where it is missing or fails."""
    try:
        said = subprocess.check_output(command, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.decode().strip()


def another_python():
    """Return the path of a fitting Python that is installed, or that uv brings."""
    for version in FITTING:
        name = "{}.{}".format(*version)
        names = ["py", "-" + name] if WINDOWS else ["python" + name]
        where = (
            f"import sys; print(sys.executable * (sys.version_info[:2] == {version}))"
        )
        found = output(*names, "-c", where)
        if found:
            return found
    if shutil.which("uv"):
        print("Asking uv for Python 3.12 ...", flush=True)
        output("uv", "python", "install", "3.12")
        return output("uv", "python", "find", "3.12")
    return None


def run(*command, stdout=None):
    """Run a command; its errors go to the log, from which a failure is explained."""
    with open(str(LOG), "ab") as log:
        parts = [str(part) for part in command]
        status = subprocess.call(parts, stdout=stdout or log, stderr=log)
    if status != 0:
        said = LOG.read_text(errors="replace")
        stop(next(CAUSES[signs] for signs in CAUSES if re.search(signs, said)))


def usable(python):
    """Return whether .venv is of this folder and this Python, and starts."""
    try:
        same = (VENV / "made-for").read_text() == MADE_FOR
    except OSError:
        return False
    return same and output(str(python), "-c", "") is not None


def check_path():
    """Stop where Windows cannot read what would be written below this folder."""
    key = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem"
    setting = output("reg", "query", key, "/v", "LongPathsEnabled")  # "... 0x1" if so
    length = len(str(ROOT))
    if length > LONGEST and "0x1" not in str(setting):
        stop(
            f"the path of this folder has {length} characters, expected at most"
            f" {LONGEST}; {LONG_PATHS}"
        )


def main(dev=False):
    if sys.version_info[:2] not in FITTING:
        fitting = another_python()
        if fitting:
            print(f"This is Python {VERSION}; using {fitting}.", flush=True)
            sys.exit(subprocess.call([fitting, __file__, *["dev"] * dev]))
        stop(
            f"this is Python {VERSION}, expected 3.10 to 3.13; none of these was found,"
            " or brought by uv; install one of them, or uv, and run it again."
        )
    if WINDOWS:
        check_path()
    python = VENV / ("Scripts" if WINDOWS else "bin") / "python"
    made = usable(python)
    if VENV.exists() and not made:
        print("Removing .venv: it is broken, or of another folder or Python ...")
        shutil.rmtree(str(VENV))
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if not made and free < NEEDED_GB:
        stop(
            f"{free:.1f} GB of disk are free, expected {NEEDED_GB}; make room and run"
            " it again."
        )
    locks = ["requirements.lock"] + ["requirements-dev.lock"] * dev
    print(f"Setting up .venv from {locks[-1]} (some minutes, once) ...", flush=True)
    VENV.mkdir(exist_ok=True)
    LOG.write_text("")
    if not made:
        run(sys.executable, "-m", "venv", VENV)
        (VENV / "made-for").write_text(MADE_FOR)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    progress = sys.stdout if sys.stdout.isatty() else None
    files = [part for lock in locks for part in ("-r", ROOT / lock)]
    run(*pip, "--no-compile", "--require-hashes", *files, stdout=progress)
    run(*pip, "--no-build-isolation", "-e", ROOT)
    for unused in UNUSED:
        for folder in VENV.glob("[Ll]ib/**/site-packages/" + unused):
            shutil.rmtree(str(folder))
    run(python, "-c", f"import sys; sys.dont_write_bytecode = False; import {IMPORTS}")
    for name in ["ready"] + ["ready-dev"] * dev:
        (VENV / name).write_text("")


if __name__ == "__main__":
    try:
        main(dev=sys.argv[1:] == ["dev"])
    except KeyboardInterrupt:
        stop("interrupted; run it again, it goes on where it was.")
    except OSError as error:
        stop(f"{error}; make {NEEDED_GB} GB free, or mend that, and run it again.")
