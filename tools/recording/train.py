"""Do one job: train in its folder, and leave a whole record there.

The recorder starts this program for each job, which it writes into the pipe. A training
that was interrupted goes on after its last complete epoch.
"""

import datetime
import io
import json
import math
import os
import shutil
import sys
import threading
import time

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from helpers import DataError, load_data, quiet_start, train_without_pauses
from helpers.runs import RUNS
from tools.common.files import write_whole
from tools.common.provenance import loaded_versions, machine, peak_bytes, provenance
from tools.recording.engine import data_at_hand, recorded
from tools.recording.jobs import FIRST_SEED, Job
from tools.recording.syntax import sha256

with quiet_start():
    import keras


def call_function(job, options):
    """Train: call the function that the job names; return model, history, versions."""
    if job.function == "PyTorch":
        from tools.recording.pytorch import train_in_pytorch

        return train_in_pytorch(job, options)
    from helpers import recipes

    function = getattr(recipes, job.function)
    model, history = function(load_data(), job.seed, **job.arguments, **options)
    return model, history, {}


def train(job, call=call_function):
    """Do a job in its folder's .partial.

    It is refused if what is there was begun with other code, data, arguments or
    versions, or on another machine.
    """
    partial = RUNS / f"{job.folder}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    with FileLock(partial / "lock", timeout=0):
        if recorded(job, partial):  # and not yet fetched
            return
        resumed = begin(job, partial)
        record = run(job, partial, resumed, call)
        write_whole(partial / "run.json", json.dumps(record, indent=2) + "\n")


def begin(job, partial):
    """Prepare the folder; return the epochs after which the training was resumed."""
    note, state = partial / "started.json", partial / "state/training_metadata.json"
    started = {
        "job": job.described,
        "machine": machine(),
        "versions": loaded_versions(),
    }
    started |= data_at_hand()
    kept = {**started, "resumed": []}
    if job.timed or (partial / "run.json").exists() or not note.exists():
        for path in {*partial.iterdir()} - {partial / "lock"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    else:
        kept = json.loads(note.read_text(encoding="utf-8"))
    if kept != {**started, "resumed": kept["resumed"]}:
        raise SystemExit(
            f"{partial} holds an unfinished training of other code, arguments, data,"
            " versions or of another machine, expected these: delete that folder to"
            " start again, or restore them to go on."
        )
    repair_backup(state)
    if state.exists():
        kept["resumed"].append(json.loads(state.read_text())["epoch"])
        print(f"{job.folder}: going on after epoch {kept['resumed'][-1]}")
    write_whole(note, json.dumps(kept))
    return kept["resumed"]


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


def run(job, partial, resumed, call):
    """Train, write history.csv and the weights if asked for; return the record."""
    begun = provenance()
    train_without_pauses()
    if job.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    monitor, log = Monitor(job), partial / "log.csv"
    callbacks = [monitor, keras.callbacks.CSVLogger(log, append=True)]
    if not job.timed:
        backup = {"double_checkpoint": True, "delete_checkpoint": False}
        state = keras.callbacks.BackupAndRestore(partial / "state", **backup)
        callbacks.append(state)
    options = {"callbacks": callbacks}
    if job.epochs is not None:
        options["epochs"] = job.epochs
    model, told, more = call(job, options)
    history = complete(log)
    images = job.trained_images(len(load_data().train[0]))
    facts = facts_of(model, told)
    check_steps(job, partial, history, images, facts["steps"])
    table = history.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_whole(partial / "history.csv", table)
    files = ["history.csv"]
    if job.weights:
        save_weights(model, partial / "model.weights.h5")
        files.append("model.weights.h5")
    epochs = len(history)
    return {
        **job.described,
        "images": images,
        **facts,
        "epochs": epochs,
        "operations": 6 * facts["multiply_adds"] * images * epochs,
        "resumed_after_epochs": resumed,
        "test": monitor.result() if job.tested != "never" else None,
        "temperature": temperature(model) if job.calibrated else None,
        "peak_bytes": peak_bytes(),
        "first_step_seconds": monitor.first_step,
        "matrix_product_operations_per_second": monitor.matrix_products,
        "converted": None,
        "finished": datetime.date.today().isoformat(),
        **begun,
        "versions": {**begun["versions"], **more},
        **data_at_hand(),
        "files_sha256": {file: sha256((partial / file).read_bytes()) for file in files},
    }


def check_steps(job, partial, history, images, steps):
    """Stop unless every epoch is there once and has the steps that the table says."""
    epochs = len(history)
    expected = epochs * math.ceil(images / job.batch_size)
    once = history["epoch"].tolist() == [*range(1, epochs + 1)]
    if not once or steps != expected:
        raise SystemExit(
            f"{partial} has {steps} steps in {epochs} epochs, expected"
            f" {expected}, each epoch once: delete that folder to start again, or mend"
            " images and batch_size in tools/recording/jobs.py."
        )


def save_weights(model, path):
    """Save the weights alone: of a model that was not compiled, Keras saves no more."""
    bare = keras.models.clone_model(model)
    bare.set_weights(model.get_weights())
    bare.save_weights(path)


class Monitor(keras.callbacks.Callback):
    """Add seconds and test accuracy to each epoch's logs; testing is not timed."""

    def __init__(self, job):
        super().__init__()
        self.job = job
        if job.tested != "never":
            self.x_test, self.y_test = images_to_test(job)
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
            logs["test_accuracy"] = self.evaluate()["accuracy"]
        reached = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
        print(f"{self.job.folder}: epoch {epoch + 1}, {reached}", flush=True)
        self.start = time.perf_counter()

    def on_train_end(self, logs=None):
        if self.job.timed:
            self.matrix_products.append(matrix_product_speed())

    def evaluate(self):
        """Return loss and accuracy on the test images."""
        if self.job.function == "PyTorch":
            from tools.recording.pytorch import judge

            return judge(self.model, self.x_test, self.y_test)
        if not isinstance(self.model, keras.Model):  # a network in PyTorch
            from helpers.recipes import accuracy_of

            accuracy = accuracy_of(self.model, self.x_test, self.y_test)
            return {"loss": None, "accuracy": accuracy}
        y = self.y_test
        if self.model.loss != "sparse_categorical_crossentropy":
            y = keras.utils.to_categorical(y, self.model.output_shape[-1])
        loss, accuracy = self.model.evaluate(self.x_test, y, verbose=0)
        return {"loss": round(loss, 4), "accuracy": round(accuracy, 4)}

    def result(self):
        """Return the final result; at the end also for two views of each image."""
        result = self.evaluate()
        if self.job.tested == "end" and isinstance(self.model, keras.Model):
            views = self.x_test, self.x_test[:, :, ::-1]
            both = sum(self.model.predict(x, 500, verbose=0) for x in views)
            right = both.argmax(1) == self.y_test[:, 0]
            result["accuracy_mirrored"] = round(float(right.mean()), 4)
        return result


def images_to_test(job):
    """Return the images and labels on which a job is tested."""
    data = load_data()
    if job.test_images is None:
        return data.test
    from helpers import recipes

    return getattr(recipes, job.test_images)(data)


def matrix_product_speed():
    """Return the floating-point operations per second of a large float32 product."""
    n = 3000
    a, b = np.random.default_rng(FIRST_SEED).random((2, n, n), np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return round(2 * n**3 / min(seconds))


def facts_of(model, told):
    """Return what a record says of a trained model.

    `told` is what the function returned beside it: a history of Keras, or what a
    training in PyTorch tells of itself.
    """
    if not isinstance(model, keras.Model):
        return torch_facts(model, told)
    settings = {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in model.optimizer.get_config().items()
        if value is not None
    }
    return {
        "steps": int(model.optimizer.iterations),
        "loss": model.loss if isinstance(model.loss, str) else model.loss.name,
        "optimizer": settings,
        "parameters": model.count_params(),
        "trainable_parameters": count(model.trainable_weights),
        "multiply_adds": total_multiply_adds(model),
        "dtype_policy": model.dtype_policy.name,
        "weights_sha256": sha256(b"".join(w.tobytes() for w in model.get_weights())),
    }


def count(weights):
    """Return how many numbers some weights hold."""
    return sum(math.prod(weight.shape) for weight in weights)


def total_multiply_adds(model):
    """Return the multiply-adds of one image, in convolutions and dense layers.

    Part 5 teaches how they are counted by layer; but a course may leave that part out.
    """
    total = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            positions = math.prod(layer.output.shape[1:-1])
            total += positions * math.prod(layer.kernel.shape)
    return total


def torch_facts(model, told):
    """Return the same of PyTorch, whose training has told its number of steps."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = model.cpu()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 32, 32))
    weights = [value.detach().numpy() for value in model.parameters()]
    parameters = sum(value.size for value in weights)
    return {
        "loss": "CrossEntropyLoss",
        "optimizer": {"name": "RMSprop"},
        "parameters": parameters,
        "trainable_parameters": parameters,
        "multiply_adds": counter.get_total_flops() // 2,
        "dtype_policy": "float32",
        "weights_sha256": sha256(b"".join(value.tobytes() for value in weights)),
        **told,
    }


def temperature(model):
    """Return the number that calibrates the scores, by the function of part 4.

    It is fitted on the images that were held out for validation: the last fifth.
    """
    from helpers.recipes import fit_temperature

    x_train, y_train = load_data().train
    kept = round(0.8 * len(x_train))
    probabilities = model.predict(x_train[kept:], 500, verbose=0)
    return round(float(fit_temperature(probabilities, y_train[kept:, 0])), 2)


def complete(log):
    """Return the rows of a CSVLogger, once for each epoch, which count from 1."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
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


def end_with_the_pipe():
    """End this process when the one that started it is gone."""
    sys.stdin.read()
    os._exit(1)


def main(call=call_function):
    """Do the job that comes through the pipe."""
    os.environ["CIFAR100_STAND_IN"] = "never"
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_the_pipe, daemon=True).start()
    try:
        train(Job(**job), call)
    except Timeout:
        raise SystemExit("Another program is recording this training: wait.") from None
    except (DataError, OSError) as error:
        raise SystemExit(f"Not recorded: {error}") from None


if __name__ == "__main__":
    main()
