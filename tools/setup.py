"""Make .venv from requirements.lock; stop with one sentence where that cannot work.

`tools/setup.py dev` adds what the tests need. Run by the Makefile with whatever Python
is there, so it keeps to the syntax of 3.6.
"""

import ast
import errno
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = VENV / "setup.log"
NEEDED_GB = 3  # what .venv and the downloads take, with some room
# A .venv holds the path of its folder and is of one Python: another one starts afresh.
VERSION = sys.version.split()[0]
MADE_FOR = os.fsencode(f"{ROOT}\n{VERSION}\n")  # bytes: a name may be of any script
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
# What a Python may have been built without, and what needs it.
MODULES = {
    "_bz2": "pandas",
    "_ctypes": "NumPy",
    "_lzma": "the download of the data",
    "_sqlite3": "IPython",
    "_ssl": "pip",
    "ensurepip": ".venv",
    "pyexpat": "pip",
    "venv": ".venv",
    "zlib": "pip",
}
# Of the user's settings of pip, those that say how packages are reached. They may be
# needed here; all others, such as `user`, `target` or `constraint`, are for other work.
REACHING = """cert client-cert default-timeout extra-index-url find-links index-url
keyring-provider no-index proxy retries timeout trusted-host""".split()
# Of Python's variables, those that change neither which code runs nor what it says.
HARMLESS = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED")
# How the exceptions of pip's two libraries for downloads begin, in its last message.
NETWORK = re.compile(
    r"(urllib3|requests)\.exceptions\.\w+: |HTTPS?ConnectionPool\(|IncompleteRead\("
    r"|ConnectionResetError|Temporary failure in name resolution|NetworkConnectionError"
)
FULL = re.compile(r"\[Errno (28|122)\]|\[WinError 112\]")


def stop(sentence):
    sys.exit("Set-up stopped: " + sentence)


def own_environment():
    """Return the variables without those that change how Python and pip work.

    The settings that say how pip reaches packages stay, whether they come from a
    variable or from a file.
    """
    kept = {"PIP_" + name.upper().replace("-", "_") for name in REACHING}
    environment = {}
    for name, value in os.environ.items():
        changes = name.startswith(("PYTHON", "PIP_", "DIST_EXTRA_CONFIG"))
        if not changes or name in kept or name in HARMLESS:
            environment[name] = value
    return environment


def pip_environment(python):
    """Return `own_environment` with what pip's files say on how to reach packages."""
    environment = own_environment()
    asking = dict(environment)
    if "PIP_CONFIG_FILE" in os.environ:
        asking["PIP_CONFIG_FILE"] = os.environ["PIP_CONFIG_FILE"]
    listed = output(str(python), "-m", "pip", "config", "list", env=asking) or ""
    found = {}
    for line in listed.splitlines():
        match = re.match(r"(global|install)\.([\w-]+)=(['\"].*)$", line)
        # Of one setting, that for `pip install` comes before that for all of pip.
        if match and match.group(2) in REACHING:
            if match.group(1) == "install" or match.group(2) not in found:
                found[match.group(2)] = ast.literal_eval(match.group(3))
    for setting, value in found.items():
        name = "PIP_" + setting.upper().replace("-", "_")
        environment.setdefault(name, " ".join(value.split()))
    environment["PIP_CONFIG_FILE"] = os.devnull  # pip then reads no file
    return environment


def output(*command, env=None):
    """Return what a command prints, or None where it is missing or fails."""
    env = env or own_environment()
    try:
        said = subprocess.check_output(command, stderr=subprocess.DEVNULL, env=env)
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(said).strip()


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


def run(*command, env=None, stdout=None):
    """Run a command whose messages go to the log; return what it said if it failed."""
    start = LOG.stat().st_size
    with open(str(LOG), "ab") as log:
        parts = [str(part) for part in command]
        env = env or own_environment()
        status = subprocess.call(parts, stdout=stdout or log, stderr=log, env=env)
    if status == 0:
        return None
    said = LOG.read_bytes()[start:].decode("utf-8", "replace").strip()
    return said or f"exit status {status}"


def last_error(said):
    """Return what pip gave up with: its last error, and what follows it."""
    errors = [match.start() for match in re.finditer(r"^ERROR: ", said, re.M)]
    return said[errors[-1] :] if errors else said


def index_answers(python, env):
    """Return whether pip can get one small package of the lock, or is told of it."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [python, "-m", "pip", "download", "--disable-pip-version-check"]
        options = ["--no-cache-dir", "--no-deps", "--retries", "1", "-d", folder]
        return run(*pip, *options, "filelock", env=env) is None


def explain_pip(said, python, env):
    """Stop with the cause for which pip failed."""
    error = last_error(said)
    if "Windows Long Path support" in error:
        stop(f"a path is too long; {LONG_PATHS}")
    if FULL.search(error):
        stop(f"the disk is full; make {NEEDED_GB} GB free and run it again.")
    if NETWORK.search(error) or not index_answers(python, env):
        stop(
            "the packages could not be downloaded; check the network (or the proxy)"
            " and run it again, it goes on where it was."
        )
    if "No matching distribution" in error:
        stop(
            "pip found no fitting package for this system (TensorFlow has none for"
            " Intel Macs and Windows on ARM); see .venv/setup.log."
        )
    if "DO NOT MATCH THE HASHES" in error:
        stop(
            "a package is not the one that the lock file names: it was damaged or"
            " changed on its way; run it again, on another network if that repeats."
        )
    explain(said)


def advice(error):
    """Return what to do about an error of the operating system."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return f"the disk is full: make {NEEDED_GB} GB free"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make a copy of this folder where you may write"
    return "mend that"


def explain(said):
    """Stop with what a command gave up with, in one line; the log has all."""
    lines = [line.strip() for line in last_error(said).splitlines() if line.strip()]
    line = lines[0] if lines[0].startswith("ERROR: ") else lines[-1]
    stop(f"{line[:300]} (all messages are in .venv/setup.log).")


def check_python():
    """Stop where this Python was built without a module that the lecture needs."""
    missing = []
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(f"{name} (for {MODULES[name]})")
    if missing:
        stop(
            f"{sys.executable} lacks {', '.join(missing)}, expected a complete Python:"
            " install python3-venv on Debian; with pyenv, install the libraries that"
            " its page names and build Python again; or name another one, as in"
            " PYTHON=python3.12 make site."
        )


def usable(python):
    """Return whether .venv is of this folder and this Python, and starts."""
    try:
        same = (VENV / "made-for").read_bytes() == MADE_FOR
    except OSError:
        return False
    return same and output(str(python), "-c", "") is not None


def check_own():
    """Stop where there is a .venv that this program has not made."""
    if VENV.is_symlink() or not VENV.is_dir():
        stop(
            f"{VENV} is {'a link' if VENV.is_symlink() else 'a file'}, expected a"
            " folder or nothing: rename it, or delete it if it may go, and run it"
            " again."
        )
    if any((VENV / name).exists() for name in ("made-for", "setup.log")):
        return
    if any(VENV.iterdir()):
        stop(
            f"there is a .venv in {ROOT} that set-up has not made, and would replace:"
            " rename it, or delete it if it may go, and run it again."
        )


def check_path():
    """Stop where no .venv can be below this folder, or Windows could not read it."""
    if os.pathsep in str(ROOT):
        stop(
            f"the path of this folder, {ROOT}, has a '{os.pathsep}', which separates"
            " folders in the PATH, so no .venv works in it: rename the folder, or move"
            " it, and run it again."
        )
    if not WINDOWS:
        return
    key = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem"
    setting = output("reg", "query", key, "/v", "LongPathsEnabled")  # "... 0x1" if so
    length = len(str(ROOT))
    if length > LONGEST and "0x1" not in str(setting):
        stop(
            f"the path of this folder has {length} characters, expected at most"
            f" {LONGEST}; {LONG_PATHS}"
        )


def use_another_python(dev):
    """Go on with a Python for which TensorFlow has releases, or stop."""
    fitting = another_python()
    if fitting:
        print(f"This is Python {VERSION}; using {fitting}.", flush=True)
        command = [fitting, __file__] + ["dev"] * dev
        sys.exit(subprocess.call(command, env=own_environment()))
    stop(
        f"this is Python {VERSION}, expected 3.10 to 3.13; none of these was found,"
        " or brought by uv; install one of them, or uv, and run it again."
    )


def remove_broken():
    """Remove a .venv that cannot be used, and stop where there is no room for one."""
    if VENV.exists() or VENV.is_symlink():
        check_own()
        print("Removing .venv: it is broken, or of another folder or Python ...")
        shutil.rmtree(str(VENV))
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if free < NEEDED_GB:
        stop(
            f"{free:.1f} GB of disk are free, expected {NEEDED_GB}; make room and run"
            " it again."
        )


def step(number, what):
    """Say what is done next, so that minutes pass with a word."""
    print(f"{number} of 4: {what} ...", flush=True)


def locked(locks):
    """Return the names of the packages in lock files."""
    texts = [(ROOT / lock).read_text(encoding="utf-8") for lock in locks]
    return set(re.findall(r"^([\w.-]+)==", "\n".join(texts), re.M))


def install(python, locks):
    """Install the locked packages and the lecture itself, or stop with the cause."""
    env = pip_environment(python)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    progress = sys.stdout if sys.stdout.isatty() else None
    files = [part for lock in locks for part in ("-r", ROOT / lock)]
    wanted = ["--no-compile", "--require-hashes", *files]
    step(2, f"{len(locked(locks))} packages, which takes longest")
    said = run(*pip, *wanted, env=env, stdout=progress)
    if said:
        explain_pip(said, python, env)
    step(3, "the lecture itself")
    said = run(*pip, "--no-build-isolation", "-e", ROOT, env=env)
    if said:
        explain_pip(said, python, env)
    for unused in UNUSED:
        for folder in VENV.glob("[Ll]ib/**/site-packages/" + unused):
            shutil.rmtree(str(folder))


def main(dev=False):
    if sys.version_info[:2] not in FITTING:
        use_another_python(dev)
    check_python()
    check_path()
    python = VENV / ("Scripts" if WINDOWS else "bin") / "python"
    made = usable(python)
    if not made:
        remove_broken()
    locks = ["requirements.lock"] + ["requirements-dev.lock"] * dev
    print(f"Setting up .venv from {locks[-1]} (some minutes, once) ...", flush=True)
    VENV.mkdir(exist_ok=True)
    LOG.write_bytes(b"")
    if not made:
        step(1, "an environment for Python")
        said = run(sys.executable, "-m", "venv", VENV)
        if said:
            explain(said)
        (VENV / "made-for").write_bytes(MADE_FOR)
    install(python, locks)
    step(4, "a first start, which compiles what the notebooks import")
    starting = f"import sys; sys.dont_write_bytecode = False; import {IMPORTS}"
    said = run(python, "-c", starting)
    if said:
        explain(said)
    for name in ["ready"] + ["ready-dev"] * dev:
        (VENV / name).write_bytes(b"")


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # a code page may lack a folder's letters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main(dev=sys.argv[1:] == ["dev"])
    except KeyboardInterrupt:
        stop("interrupted; run it again, it goes on where it was.")
    except OSError as error:
        stop(f"{error}; {advice(error)}, and run it again.")
