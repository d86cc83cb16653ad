"""Run a submission where it cannot reach the answers, and listen to what it says.

On Linux, the submission runs in namespaces of its own: it sees no process, no network
and no file of this machine but the programs, the data and a copy of the hand-out. What
it writes lives in memory and ends with it. The one thing that comes out is text in a
pipe, which the process that grades reads as data.
"""

import contextlib
import itertools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import psutil

from tools.common.paths import ROOT

HERE = Path(__file__).parent
# What programs need of the system; what is not there is left out.
SYSTEM = "/usr /bin /sbin /lib /lib32 /lib64 /nix/store /etc/alternatives /etc/fonts"
SYSTEM += " /etc/ld.so.cache /etc/localtime /sys/devices/system/cpu"
SYSTEM += " /dev/null /dev/zero /dev/full /dev/random /dev/urandom"
ROOM = 2_000_000_000  # bytes of files that a submission may write
PROCESSES = 1000  # and threads; TensorFlow starts some dozens
MOST_SAID = 1_000_000  # bytes
FIRST_USER = 61_184  # numbers that systems keep free for accounts without a name
BIGGEST = 50_000_000  # bytes of a notebook that is handed in


class Limits(NamedTuple):
    """What one submission may take."""

    cell: float = 300  # seconds
    seconds: float = 1200
    gigabytes: float = 8


class Result(NamedTuple):
    """What came out of a submission."""

    said: dict  # by number, a dictionary with "answer" and perhaps "hidden"
    remark: str
    seconds: float
    gigabytes: float


class StoppedError(Exception):
    """The person who grades has stopped it."""


class Sandbox:
    """Runs submissions to one hand-out.

    Parameters
    ----------
    handout : pathlib.Path
        The folder that students got; each submission runs in a copy of it.
    exercises : dict
        By number, the name, the expression to look at, and hidden code or None.
    limits : Limits
        What a submission may take.
    shown : list of pathlib.Path
        Folders that submissions can read, such as that of the data.
    protected : bool
        Whether to shut submissions off. Without it, they can read and write whatever
        the person can who grades.
    """

    def __init__(self, handout, exercises, limits, shown=(), protected=True):
        self.handout, self.limits, self.protected = handout.resolve(), limits, protected
        self.plan = {
            "exercises": exercises,
            "seconds": int(limits.cell),
            "gigabytes": limits.gigabytes,
            "processes": PROCESSES,
            "protected": protected,
        }
        interpreter = Path(sys.executable).resolve().parents[1]
        prefixes = [Path(sys.prefix), Path(sys.base_prefix), interpreter]
        self.shown = [*SYSTEM.split(), *map(str, prefixes), *map(str, shown)]
        self.stop = threading.Event()
        self._users = itertools.cycle(range(FIRST_USER, FIRST_USER + 4000))
        self._home = tempfile.TemporaryDirectory()

    def __enter__(self):
        """Make a home folder to copy, in which Matplotlib's list of fonts is ready."""
        home = Path(self._home.name) / "home"
        (home / ".keras").mkdir(parents=True)
        datasets = Path.home() / ".keras" / "datasets"
        if datasets.is_dir():
            (home / ".keras" / "datasets").symlink_to(datasets.resolve())
            self.shown.append(str(datasets.resolve()))
        fonts = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(fonts, env=self._environment(home), capture_output=True)
        return self

    def __exit__(self, *_):
        self._home.cleanup()

    def refused(self):
        """Return why submissions cannot be shut off on this system, or None."""
        if not self.protected:
            return None
        with tempfile.TemporaryDirectory() as folder:
            filters = (HERE / "forbid.py").read_text(encoding="utf-8")
            command = self._shut_off(Path(folder), [], [sys.executable, "-c", filters])
            environment = self._environment(folder)
            try:
                done = subprocess.run(
                    command, env=environment, capture_output=True, text=True
                )
            except FileNotFoundError as error:
                return f"{error.filename} is not on this system"
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return said[-1] if done.returncode else None

    def shows(self, secrets):
        """Return the first path that submissions can read, and where, or None."""
        folders = [Path(path).resolve() for path in self.shown] * self.protected
        for secret in secrets:
            for folder in folders:
                if secret.resolve().is_relative_to(folder):
                    return secret, folder
        return None

    def run(self, submission):
        """Execute one submission; return what it said, as a `Result`.

        Raises
        ------
        RuntimeError
            If its execution did not even begin, which is no fault of the submission.
        """
        start = time.monotonic()
        if submission.is_symlink():  # to the solution, say; zip files can hold links
            return Result({}, "a link to another file", 0, 0)
        if submission.stat().st_size > BIGGEST:
            return Result({}, f"larger than {BIGGEST // 10**6} MB", 0, 0)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            folder = Path(folder)
            out, into = os.pipe()
            mark = uuid.uuid4().hex
            try:
                process = self._start(folder, submission, into, mark)
            finally:
                os.close(into)
            try:
                said, remark, peak = self._listen(out, process, start)
            finally:
                os.close(out)
                self._end(process, mark)
        if not said and not remark:
            raise RuntimeError("this machine could not start its execution")
        answers, last = read(said, self.plan["exercises"])
        remark = remark or last
        return Result(answers, remark, time.monotonic() - start, peak / 1e9)

    def _start(self, folder, submission, pipe, mark):
        """Start the execution of a submission; return the process."""
        grading = folder / "grading"
        grading.mkdir()
        shutil.copyfile(submission, grading / "submission.ipynb")
        for name in ("child.py", "forbid.py"):
            shutil.copy(HERE / name, grading)
        shutil.copy(ROOT / "helpers" / "exercises.py", grading / "reader.py")
        home = Path(self._home.name) / "home"
        copies = [(grading, "grading"), (self.handout, "homework"), (home, "student")]
        if self.protected:
            world = Path("/home")
        else:
            world = folder / "world"
            for source, name in copies:
                shutil.copytree(source, world / name, symlinks=True)
            grading = world / "grading"
        plan = {
            **self.plan,
            "reader": str(world / "grading" / "reader.py"),
            "folder": str(world / "homework"),
        }
        (grading / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        inside = world / "grading"
        names = ("child.py", "submission.ipynb", "plan.json")
        command = [sys.executable, *(str(inside / name) for name in names), str(pipe)]
        if self.protected:
            root = folder / "root"
            root.mkdir()
            command = self._shut_off(root, copies, command)
        environment = self._environment(world / "student", GRADING=mark)
        return subprocess.Popen(
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[pipe],
            start_new_session=True,
        )

    def _shut_off(self, root, copies, command):
        """Return the command that runs a command in namespaces of its own."""
        privileged = os.geteuid() == 0
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork"]
        if not privileged:
            spaces += ["--user", "--map-root-user"]
        user = str(next(self._users)) if privileged else "0"
        copied = [f"{source}:/home/{name}" for source, name in copies]
        # Should the grader be killed, the sandbox ends as well.
        start = ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "--kill-child"]
        start += ["sh", str(HERE / "sandbox.sh"), str(root), user, str(ROOM)]
        return [*start, *copied, "--", *self.shown, "--", *command]

    def _environment(self, home, **more):
        """Return an environment that tells nothing of this machine and its people."""
        kept = ("KERAS_BACKEND", "CIFAR100_DIR", "PYTHONHASHSEED")
        python = str(Path(sys.executable).parent)
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": os.pathsep.join([python, "/usr/bin", "/bin", "/usr/sbin", "/sbin"]),
            "HOME": str(home),
            "USER": "student",
            "LANG": "C.UTF-8",
            "MPLBACKEND": "agg",
            "CIFAR100_STAND_IN": "never",
            **more,
        }

    def _listen(self, pipe, process, start):
        """Return what a submission says, why that ended, and its most memory."""
        said, peak = bytearray(), 0
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if self.stop.is_set():
                    raise StoppedError
                if time.monotonic() - start > self.limits.seconds:
                    return said, f"stopped after {self.limits.seconds:.0f} s", peak
                peak = max(peak, memory(process))
                if peak > self.limits.gigabytes * 1e9:
                    return said, f"took {self.limits.gigabytes:g} GB of memory", peak
                if selector.select(0.2):
                    part = os.read(pipe, 2**16)
                    if not part:
                        return said, "", peak
                    said += part
                    if len(said) > MOST_SAID:
                        return said, "said more than 1 MB", peak

    def _end(self, process, mark):
        """End a submission, and whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()  # its namespaces are gone with it
        while not self.protected:
            left = [other for other in psutil.process_iter() if is_marked(other, mark)]
            for other in left:
                with contextlib.suppress(psutil.Error):
                    other.kill()
            if not left:
                break


def is_marked(process, mark):
    """Return whether a process has the mark of a submission in its environment."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get("GRADING") == mark
    except (psutil.Error, OSError):
        return False


def memory(process):
    """Return the bytes of memory that a process and its descendants hold."""
    total, files = 0, {}
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += child.memory_info().rss
            files |= files_in_memory(child.pid)
    return total + sum(files.values())


def files_in_memory(pid):
    """Return the bytes of each nameless file in memory that a process has open."""
    found = {}
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(entry.path).startswith("/memfd:"):
                    status = os.stat(entry.path)
                    found[status.st_ino] = 512 * status.st_blocks
    return found


def read(said, exercises):
    """Return the answers from lines of JSON, and the last remark, believing nothing."""
    remarks = {
        "": "",
        "died": "ended its own process",
        "unreadable": "no notebook that can be read",
    }
    answers, remark = {}, "ended before its end"
    for line in bytes(said).split(b"\n"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict):
            continue
        number = entry.get("exercise")
        if isinstance(number, str) and number in exercises:
            values = {k: entry[k] for k in ("answer", "hidden") if k in entry}
            answers.setdefault(number, {}).update(values)
        elif isinstance(entry.get("remark"), str):
            remark = remarks.get(entry["remark"], remark)
    return answers, remark
