"""Do jobs on this machine or on a cluster, and keep what comes of them.

Each job is one training in a process and a folder of its own. Dask hands the jobs out:
to one worker on this machine, or to the workers of the scheduler that the variable
DASK_SCHEDULER_ADDRESS names. Nothing here needs Keras, and jobs that are killed go on
where they were.
"""

import functools
import itertools
import json
import logging
import os
import re
import shutil
import time
from dataclasses import asdict

from distributed import Client, WorkerPlugin, as_completed

from helpers import NoDataError, load_data
from helpers.runs import RUNS
from tools.recording.state import common_state
from tools.recording.syntax import sha256


def recorded(job, folder):
    """Return whether a folder holds the record of this very job, on this data."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return record == {**record, **job.described, **data_at_hand()}


@functools.cache
def data_at_hand():
    """Return the hashes of the data, as in a record, or nothing where it is not."""
    try:
        data = load_data(download=False)
    except NoDataError:
        return {}
    parts = {"train": data.train, "test": data.test}
    hashes = {
        name: sha256(b"".join(array.tobytes() for array in arrays))
        for name, arrays in parts.items()
    }
    return {"data_sha256": hashes}


def publish(job, files):
    """Give a finished training its name.

    At every moment, the old record or the new one is there: the old one keeps another
    name, which `helpers.runs` knows, until the new one has taken its place.
    """
    folder = RUNS / job.folder
    new, old = RUNS / f"{job.folder}.new", RUNS / f"{job.folder}.old"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name, content in files.items():
        (new / name).write_bytes(content)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(RUNS / f"{job.folder}.partial", ignore_errors=True)


# What Dask sends to a worker imports what it needs there.


def start_program(module, job=None):
    """Run a program of this copy of the lecture; return the lines that it prints.

    A job goes to it through a pipe, and what it prints goes to the screen; the errors
    are kept. A job in R is run by R, which runs the program below itself.
    """
    import json
    import subprocess
    import sys
    import tempfile

    from helpers.runs import RUNS
    from tools.common.environment import isolated

    command = [sys.executable, "-m", module]
    environment = {"RETICULATE_PYTHON": sys.executable}
    if job:
        environment |= job["environment"] or {}
        if job["function"] == "R":
            command = ["Rscript", RUNS.parent / "tools/recording/record.R"]
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryDirectory() as own:
        child = subprocess.Popen(
            command,
            cwd=RUNS.parent,
            env={**isolated(own), **environment},
            stdin=subprocess.PIPE,
            stdout=None if job else said,
            stderr=said,
            text=True,
        )
        # The child ends when this pipe does, so it never outlives its worker.
        child.stdin.write(json.dumps(job) + "\n")
        child.stdin.flush()
        status = child.wait()
        said.seek(0)
        lines = said.read().splitlines()
    if status != 0:
        raise RuntimeError(cause(lines) or f"it was ended by signal {-status}")
    return lines


def cause(lines):
    """Return the line that tells why a program failed: its last error, or the last.

    Keras explains its errors in more lines below them.
    """
    for line in reversed(lines):
        if re.match(r"[\w.]+(Error|Exception|Exit|Interrupt)\b", line):
            return line
    return lines[-1] if lines else None


def do_job(job, folder):
    """Do one job on a worker; return the files that it leaves."""
    import json

    from helpers.runs import RUNS

    start_program("tools.recording.train", job)
    partial = RUNS / f"{folder}.partial"
    kept = json.loads((partial / "run.json").read_text())["files_sha256"]
    return {name: (partial / name).read_bytes() for name in (*kept, "run.json")}


class CompatibilityCheck(WorkerPlugin):
    """Refuses a worker that has other code, other versions or no data."""

    name = "compatibility"

    def __init__(self, expected, ask):
        self.expected = expected
        self.ask = ask

    def setup(self, worker):
        """Ask the worker for its state; Dask calls this for workers old and new."""
        import json

        found = json.loads(self.ask("tools.recording.state")[-1])
        for what, value in self.expected.items():
            if found[what] != value:
                raise RuntimeError(
                    f"the worker {worker.address} has {what} {found[what]}, expected"
                    f" {value}: give it the same copy of the lecture and the data."
                )


def record(wanted, at_once=1):
    """Do the jobs that are not yet recorded.

    Parameters
    ----------
    wanted : list of Job
        What to record.
    at_once : int
        How many trainings this machine does side by side; timed ones run alone.

    Returns
    -------
    int
        How many jobs could not be done; a line says why.
    """
    missing = [job for job in wanted if not recorded(job, RUNS / job.folder)]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} are recorded already.")
    if not missing:
        return 0
    load_data()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # failures are listed
    elsewhere = os.environ.get("DASK_SCHEDULER_ADDRESS")
    with Client(**client_options(elsewhere, at_once)) as client:
        print(f"To watch: {client.dashboard_link}", flush=True)
        if elsewhere:
            refuse_other_workers(client, common_state())
        return do_all(client, missing)


def client_options(elsewhere, at_once):
    """Return the options of Dask: one worker in this process, or a cluster's own."""
    if elsewhere:
        return {}
    # By TCP, or the address that is printed is one where nobody listens.
    own = {"dashboard_address": "127.0.0.1:0", "protocol": "tcp"}
    return {"n_workers": 1, "threads_per_worker": at_once, "processes": False, **own}


def refuse_other_workers(client, expected):
    """Refuse workers that would record something else, now and when they come."""
    try:
        client.register_plugin(CompatibilityCheck(expected, start_program))
    except RuntimeError as error:
        raise SystemExit(f"Not recorded: {error}") from None


def do_all(client, missing):
    """Do the jobs, the timed ones alone; return how many failed."""
    failed, started, done = 0, time.time(), itertools.count(1)
    together = [job for job in missing if not job.timed]
    alone = [[job] for job in missing if job.timed]
    for batch in (together, *alone):
        futures = {}
        for job in batch:
            task = (do_job, asdict(job), job.folder)
            future = client.submit(*task, key=job.folder, pure=False)
            futures[future] = job
        for future in as_completed(futures):
            job, said = futures[future], "recorded"
            if future.status == "finished":
                publish(job, future.result())
            else:
                failed += 1
                said = f"failed: {future.exception()}"
            at = f"{next(done)} of {len(missing)}, {time.time() - started:.0f} s"
            print(f"{at}: {job.folder} {said}", flush=True)
    return failed
