"""Make .venv from requirements.lock; stop with one sentence where that cannot work.

Run by the Makefile with whatever Python is there, so it keeps to the syntax of 3.6.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = VENV / "setup.log"
NEEDED_GB = 4  # what .venv and the downloads take, with some room
# A .venv holds the path of its folder and is of one Python: another one starts afresh.
MADE_FOR = f"{ROOT}\n{sys.version.split()[0]}\n"
WINDOWS = sys.platform == "win32"
ANOTHER = "py -3.11 tools\\setup.py" if WINDOWS else "PYTHON=python3.11 make site"


def stop(sentence):
    sys.exit("Set-up stopped: " + sentence)


def run(*command, stdout=None):
    """Run a command; its errors go to the log, from which a failure is explained."""
    with open(str(LOG), "ab") as log:
        parts = [str(part) for part in command]
        status = subprocess.call(parts, stdout=stdout or log, stderr=log)
    if status == 0:
        return
    text = LOG.read_text(errors="replace")
    if "No space left" in text or "Disk quota" in text:
        stop(f"the disk is full; make {NEEDED_GB} GB free and run it again.")
    signs = ("Connection", "connection", "timed out", "resolve")
    if any(sign in text for sign in signs):
        stop(
            "the packages could not be downloaded; check the network (or the proxy) and"
            " run it again, it goes on where it was."
        )
    if "No matching distribution" in text:
        stop(
            "pip found no fitting package, either since this system has none (Intel"
            " Macs have no TensorFlow) or since the package index is out of reach; see"
            f" {LOG.relative_to(ROOT)}."
        )
    if "ensurepip" in text:
        stop(
            "Python's venv module is not complete; install it (on Debian: apt install"
            " python3-venv) and run it again."
        )
    stop(f"it failed; the messages are in {LOG.relative_to(ROOT)}.")


def usable(python):
    """Return whether .venv is of this folder and this Python, and starts."""
    try:
        same = (VENV / "made-for").read_text() == MADE_FOR
        return same and subprocess.call([str(python), "-c", ""]) == 0
    except OSError:
        return False


def main():
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        stop(
            f"this is Python {sys.version.split()[0]}, expected 3.10 to 3.13; name"
            f" another one, as in {ANOTHER}."
        )
    python = VENV / ("Scripts" if WINDOWS else "bin") / "python"
    if VENV.exists() and not usable(python):
        print("Removing .venv: it is broken, or of another folder or Python ...")
        shutil.rmtree(str(VENV))
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if not VENV.exists() and free < NEEDED_GB:
        stop(
            f"{free:.1f} GB of disk are free, expected {NEEDED_GB}; make room and run"
            " it again."
        )
    print(
        "Setting up .venv from requirements.lock (some minutes, once) ...", flush=True
    )
    VENV.mkdir(exist_ok=True)
    (VENV / "made-for").write_text(MADE_FOR)
    LOG.write_text("")
    run(sys.executable, "-m", "venv", VENV)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    progress = sys.stdout if sys.stdout.isatty() else None
    lock = ["--require-hashes", "--no-deps", "-r", ROOT / "requirements.lock"]
    run(*pip, *lock, stdout=progress)
    run(*pip, "--no-deps", "--no-build-isolation", "-e", ROOT)
    (VENV / "ready").write_text("")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        stop("interrupted; run it again, it goes on where it was.")
    except OSError as error:
        stop(f"{error}; make {NEEDED_GB} GB free, or mend that, and run it again.")
