"""Train by the notebooks' own cells, and record each training in a folder of runs/.

Without a group it lists the jobs and what of them is recorded. A job is one training:
it has a process and a folder of its own, and is interrupted without loss. Jobs run on
Dask: on this machine, or on the cluster that DASK_SCHEDULER_ADDRESS names.
"""

import argparse
import datetime
import functools
import inspect
import io
import itertools
import json
import logging
import math
import os
import shutil
import sys
import threading
import time

import numpy as np
import pandas as pd
from distributed import Client, WorkerPlugin, as_completed
from filelock import FileLock, Timeout

from helpers import DataError, NoDataError, load_data, quiet_start
from helpers.notebooks import run_cells, train_without_pauses
from helpers.runs import RUNS
from tools.common.files import write_whole
from tools.common.provenance import machine, peak_bytes, provenance, versions
from tools.recording.jobs import SEED, Job, jobs, sha256

with quiet_start():
    import keras

# One training, in a process of its own.


def run_python(job, names):
    """Run a job's program with these names; return what it leaves of them, and more."""
    exec(compile(job.program, job.folder, "exec"), names)
    return names


def train(job, execute=run_python):
    """Run a job in its folder's .partial, and leave a whole record there.

    A training that was interrupted goes on after the last complete epoch, unless it is
    timed; it is refused if its cells, data, options, versions or machine differ.
    """
    partial = RUNS / f"{job.folder}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    with FileLock(partial / "lock", timeout=0):
        if recorded(job, partial):  # and not yet fetched
            return
        note, state = partial / "started.json", partial / "state/training_metadata.json"
        started = {"job": job.described, "machine": machine(), "versions": versions()}
        started |= data_at_hand()
        kept = {**started, "resumed": []}
        if job.timed or (partial / "run.json").exists() or not note.exists():
            for path in {*partial.iterdir()} - {partial / "lock"}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        else:
            kept = json.loads(note.read_text(encoding="utf-8"))
        if kept != {**started, "resumed": kept["resumed"]}:
            raise SystemExit(
                f"{partial} holds an unfinished training of other cells, options, data,"
                " versions or of another machine, expected these: delete that folder to"
                " start again, or restore them to go on."
            )
        repair_backup(state)
        if state.exists():
            kept["resumed"].append(json.loads(state.read_text())["epoch"])
            print(f"{job.folder}: going on after epoch {kept['resumed'][-1]}")
        write_whole(note, json.dumps(kept))
        record = run_program(job, partial, kept["resumed"], execute)
        write_whole(partial / "run.json", json.dumps(record, indent=2) + "\n")


def repair_backup(state):
    """Undo a backup of Keras that was killed after its weights and before its epoch."""
    weights = state.with_name("latest.weights.h5")
    if not weights.exists():
        return
    whole = state.exists() and state.stat().st_size > 0
    if not whole or state.stat().st_mtime_ns < weights.stat().st_mtime_ns:
        for path in (weights, state):
            path.unlink(missing_ok=True)
            before = path.with_name(f"{path.name}.bkp")
            if before.exists():
                shutil.copy(before, path)


def run_program(job, partial, resumed, execute):
    """Train, write history.csv and the weights if asked for; return the record."""
    begun = provenance()
    train_without_pauses()
    if job.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    clock, path = Clock(job), partial / "log.csv"
    callbacks = [clock, keras.callbacks.CSVLogger(path, append=True)]
    if not job.timed:
        backup = {"double_checkpoint": True, "delete_checkpoint": False}
        state = keras.callbacks.BackupAndRestore(partial / "state", **backup)
        callbacks.append(state)
    names = {"SEED": job.seed, "callbacks": callbacks, "epochs": job.epochs}
    given = watch_fit()
    names = execute(job, names)
    model, history = names["model"], complete(path)
    facts, epochs = facts_of(model, given or names["history"]), len(history)
    if (
        names["SEED"] != job.seed
        or history["epoch"].tolist() != [*range(1, epochs + 1)]
        or facts["steps"] != epochs * math.ceil(facts["images"] / facts["batch_size"])
    ):
        raise SystemExit(
            f"{partial} does not hold every epoch once, from the seed {job.seed}, as"
            " expected: delete that folder to start again."
        )
    table = history.to_csv(index=False, float_format="%.6g")
    write_whole(partial / "history.csv", table)
    if job.weights:
        # A model that was not compiled saves its weights without the optimizer's state.
        bare = keras.models.clone_model(model)
        bare.set_weights(model.get_weights())
        bare.save_weights(partial / "model.weights.h5")
    files = ["history.csv", "model.weights.h5"][: 1 + job.weights]
    return {
        **job.described,
        **facts,
        "epochs": epochs,
        "operations": 6 * facts["multiply_adds"] * facts["images"] * epochs,
        "resumed_after_epochs": resumed,
        "test": clock.result() if job.tested != "never" else None,
        "temperature": temperature(names) if job.run == "baseline" else None,
        "peak_bytes": peak_bytes(),
        "first_step_seconds": clock.first_step,
        "matrix_product_operations_per_second": clock.matrix_products,
        "converted": None,
        "finished": datetime.date.today().isoformat(),
        **begun,
        "versions": {**begun["versions"], **names.get("versions", {})},
        **data_at_hand(),
        "files_sha256": {file: sha256((partial / file).read_bytes()) for file in files},
    }


class Clock(keras.callbacks.Callback):
    """Add its seconds to each epoch's logs, and the test accuracy, off the clock."""

    def __init__(self, job):
        super().__init__()
        self.job = job
        if job.tested != "never":
            self.x_test, self.y_test = load_data().test
        self.matrix_products = [matrix_product_speed()] if job.timed else []
        self.first_step = None

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1 and self.first_step is None:
            self.first_step = round(time.perf_counter() - self.start, 3)

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = time.perf_counter() - self.start
        if self.job.tested == "each":
            logs["test_accuracy"] = self.judge()["accuracy"]
        reached = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
        print(f"{self.job.folder}: epoch {epoch + 1}, {reached}", flush=True)
        self.start = time.perf_counter()

    def on_train_end(self, logs=None):
        if self.job.timed:
            self.matrix_products.append(matrix_product_speed())

    def judge(self):
        """Return loss and accuracy on the test images."""
        y = keras.utils.to_categorical(self.y_test, self.model.output_shape[-1])
        loss, accuracy = self.model.evaluate(self.x_test, y, verbose=0)
        return {"loss": round(loss, 4), "accuracy": round(accuracy, 4)}

    def result(self):
        """Return the final result; at the end also for two views of each image."""
        result = self.judge()
        if self.job.tested == "end":
            views = self.x_test, self.x_test[:, :, ::-1]
            both = sum(self.model.predict(x, 500, verbose=0) for x in views)
            right = both.argmax(1) == self.y_test[:, 0]
            result["accuracy_mirrored"] = round(float(right.mean()), 4)
        return result


def matrix_product_speed():
    """Return the floating-point operations per second of a large float32 product."""
    n = 3000
    a, b = np.random.default_rng(SEED).random((2, n, n), np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return round(2 * n**3 / min(seconds))


def watch_fit():
    """Return a dictionary for the arguments of `fit`; switch off its progress bar."""
    given, fit = {}, keras.Model.fit

    def watched(*args, **kwargs):
        bound = inspect.signature(fit).bind(*args, **kwargs)
        bound.apply_defaults()
        given.update(bound.arguments)
        return fit(*args, **{**kwargs, "verbose": 0})

    keras.Model.fit = watched
    return given


def data_sha256(data):
    """Return hashes of the images and labels that were loaded."""
    parts = {"train": data.train, "test": data.test}
    return {k: sha256(b"".join(a.tobytes() for a in p)) for k, p in parts.items()}


def facts_of(model, given):
    """Return what a record says of a model and of what its `fit` was given."""
    if not isinstance(model, keras.Model):
        return torch_facts(model, given)
    return {
        "images": int(len(given["x"]) * (1 - given["validation_split"])),
        "batch_size": given["batch_size"] or 32,  # Keras' own
        "steps": int(model.optimizer.iterations),
        "loss": model.loss if isinstance(model.loss, str) else model.loss.name,
        "optimizer": {
            name: float(f"{value:.6g}") if isinstance(value, float) else value
            for name, value in model.optimizer.get_config().items()
            if value is not None
        },
        "parameters": model.count_params(),
        "multiply_adds": sum(
            math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape)
            for layer in model.layers
            if hasattr(layer, "kernel")
        ),
        "dtype_policy": model.dtype_policy.name,
        "weights_sha256": sha256(b"".join(w.tobytes() for w in model.get_weights())),
    }


def torch_facts(model, told):
    """Return the same of PyTorch, whose training has told images, batch and steps."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 32, 32))
    weights = [value.detach().numpy() for value in model.parameters()]
    return {
        **told,
        "loss": "CrossEntropyLoss",
        "optimizer": {"name": "RMSprop"},
        "parameters": sum(value.size for value in weights),
        "multiply_adds": counter.get_total_flops() // 2,
        "dtype_policy": "float32",
        "weights_sha256": sha256(b"".join(value.tobytes() for value in weights)),
    }


def temperature(names):
    """Return the number that calibrates the scores, by the function of notebook 4."""
    kept = round(len(names["x_train"]) * (1 - names["VALIDATION_SPLIT"]))
    probabilities = names["model"].predict(names["x_train"][kept:], 500, verbose=0)
    cells = run_cells("04-testing.ipynb", "calibration", np=np)
    fitted = cells["fit_temperature"](probabilities, names["y_train"][kept:, 0])
    return round(float(fitted), 2)


# Files: whole, or as they were.


def complete(history):
    """Return the rows of a CSVLogger, once for each epoch, which count from 1."""
    lines = history.read_text(encoding="utf-8").splitlines(keepends=True)
    commas = lines[0].count(",")
    whole = [x for x in lines if x.endswith("\n") and x.count(",") == commas]
    # Without validation, CSVLogger adds columns for it that hold only NA.
    missing = {"keep_default_na": False, "na_values": "NA"}  # and nan is a value
    rows = pd.read_csv(io.StringIO("".join(whole)), **missing)
    rows = rows.dropna(axis=1, how="all").astype(float)
    rows = rows.drop_duplicates("epoch", keep="last").sort_values("epoch")
    rows["epoch"] = rows["epoch"].astype(int) + 1
    last = [name for name in ("seconds", "test_accuracy") if name in rows]
    return rows[[*rows.columns.drop(last), *last]]


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
        return {"data_sha256": data_sha256(load_data(download=False))}
    except NoDataError:
        return {}


def publish(job, files):
    """Give a finished training its name: the old one stays until the new is there."""
    folder, new = RUNS / job.folder, RUNS / f"{job.folder}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name, content in files.items():
        (new / name).write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    shutil.rmtree(RUNS / f"{job.folder}.partial", ignore_errors=True)


# The engine. What Dask sends to a worker imports what it needs there.


def run_subprocess(job=None):
    """Run a job in the worker's own copy of the lecture; return the lines it prints.

    A job in R is run by R, which runs this program below itself.
    """
    import json
    import os
    import subprocess
    import sys
    import tempfile

    from helpers.runs import RUNS

    command = [sys.executable, "-m", "tools.recording", "--worker"]
    if job and job["run"] == "r":
        command = ["Rscript", RUNS.parent / "tools/recording/record.R"]
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(
            command,
            cwd=RUNS.parent,
            env={
                **os.environ,
                "RETICULATE_PYTHON": sys.executable,
                **((job and job["environment"]) or {}),
            },
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
        raise RuntimeError(lines[-1] if lines else f"it was ended by signal {-status}")
    return lines


def run_on_worker(job, folder):
    """Do one job on a worker; return the files that it leaves."""
    import json

    from helpers.runs import RUNS

    run_subprocess(job)
    partial = RUNS / f"{folder}.partial"
    kept = json.loads((partial / "run.json").read_text())["files_sha256"]
    return {name: (partial / name).read_bytes() for name in (*kept, "run.json")}


class CompatibilityCheck(WorkerPlugin):
    """Refuses a worker that has other cells, other versions or no data."""

    name = "compatibility"

    def __init__(self, expected, run):
        self.expected, self.run = expected, run

    def setup(self, worker):
        import json

        found = json.loads(self.run()[-1])
        for what, value in self.expected.items():
            if found[what] != value:
                raise RuntimeError(
                    f"the worker {worker.address} has {what} {found[what]}, expected"
                    f" {value}: give it the same copy of the lecture and the data."
                )


def common_state():
    """Return what all workers must have in common."""
    table = "".join(job.program for job in jobs())
    try:
        load_data(download=False)
        data = "at hand"
    except DataError:
        data = "missing"
    return {"cells": sha256(table.encode()), "versions": versions(), "data": data}


def record(wanted):
    """Do the jobs that are not yet recorded; return how many could not be done."""
    missing = [job for job in wanted if not recorded(job, RUNS / job.folder)]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} are recorded already.")
    if not missing:
        return 0
    load_data()
    failed, started, done = 0, time.time(), itertools.count(1)
    local = {"n_workers": 1, "threads_per_worker": 1, "processes": False}
    # By TCP, or the address that is printed is one where nobody listens.
    local |= {"dashboard_address": "127.0.0.1:0", "protocol": "tcp"}
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # failures are listed
    elsewhere = os.environ.get("DASK_SCHEDULER_ADDRESS")
    with Client(**({} if elsewhere else local)) as client:
        print(f"To watch: {client.dashboard_link}", flush=True)
        if elsewhere:
            client.register_plugin(CompatibilityCheck(common_state(), run_subprocess))
        free = [job for job in missing if not job.timed]
        for batch in (free, *([job] for job in missing if job.timed)):
            futures = {}
            for job in batch:
                task = (run_on_worker, job._asdict(), job.folder)
                future = client.submit(*task, key=job.folder, pure=False)
                futures[future] = job
            for future in as_completed(futures):
                job, said = futures[future], "recorded"
                if future.status == "finished":
                    publish(job, future.result())
                else:
                    failed, said = failed + 1, f"failed: {future.exception()}"
                at = f"{next(done)} of {len(missing)}, {time.time() - started:.0f} s"
                print(f"{at}: {job.folder} {said}", flush=True)
    return failed


def end_with_the_pipe():
    """End this process when the one that started it is gone."""
    sys.stdin.read()
    os._exit(1)


def worker_main(execute=run_python):
    """Do the job that comes through the pipe, or print the state if it is none."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_the_pipe, daemon=True).start()
    train(Job(**job), execute) if job else print(json.dumps(common_state()))


def main():
    """Read the options and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("group", nargs="*", help="what to record; all: everything")
    parser.add_argument("--epochs", type=int, help="of the lecture (default: 30)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker_main()
    if options.epochs is not None and options.epochs < 1:
        parser.error(f"--epochs {options.epochs}: expected 1 or more")
    table = jobs(options.epochs)
    groups = list(dict.fromkeys(job.run for job in table))
    unknown = set(options.group) - {*groups, "all"}
    if unknown:
        raise SystemExit(
            f"No group {', '.join(unknown)}: expected {', '.join(groups)}."
        )
    if not options.group:
        for group in groups:
            done = [recorded(x, RUNS / x.folder) for x in table if x.run == group]
            print(f"{group}: {sum(done)} of {len(done)} trainings are recorded")
        return
    chosen = groups if "all" in options.group else options.group
    if record([job for job in table if job.run in chosen]):
        raise SystemExit(
            "Some trainings are not recorded; the same command tries again."
        )


def run_as_program():
    """Do what the command line says; every known failure is one sentence."""
    os.environ["CIFAR100_STAND_IN"] = "never"
    try:
        main()
    except Timeout:
        raise SystemExit("Another program is recording this training: wait.") from None
    except (DataError, OSError) as error:
        raise SystemExit(f"Not recorded: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("Stopped; the same command goes on from here.") from None
