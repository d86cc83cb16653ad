"""Train the lecture's network by the notebooks' own cells and record the run.

The cells tagged "train" of notebook 3 are executed as they stand; they take the
network from notebook 2. After every epoch the state of the training is set aside in
RUN.partial, from where an interrupted training goes on; RUN itself changes only when
everything has been trained, evaluated and written.
"""

import argparse
import csv
import datetime
import hashlib
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

os.environ["CIFAR100_STAND_IN"] = "never"

from helpers.data import FILES, DataError
from helpers.notebooks import cell_sources, quiet_start, run_cells
from helpers.runs import origin

with quiet_start():
    import keras
    import tensorflow as tf

ROOT = Path(__file__).resolve().parents[1]


class Recorder(keras.callbacks.Callback):
    """Sets weights, optimizer state and history aside after every epoch.

    Each epoch is a folder of its own that gets its name when it is complete, so a
    training that is killed finds either all of an epoch or nothing of it.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        done = folder.glob("epoch-*")
        self.latest = max(done, key=lambda path: int(path.name[6:]), default=None)
        self.resumed_after = []
        self.rows = []
        if self.latest:
            with open(self.latest / "history.csv", newline="") as file:
                self.rows = list(csv.DictReader(file))
            notes = (self.latest / "resumed_after.json").read_text()
            self.resumed_after = json.loads(notes)

    def on_train_begin(self, logs=None):
        if self.latest:
            self.model.optimizer.build(self.model.trainable_variables)
            self.model.load_weights(self.latest / "state.weights.h5")
            self.resumed_after.append(len(self.rows))
            print(f"Going on after epoch {len(self.rows)}.")

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.start
        row = {"epoch": len(self.rows) + 1, **{k: f"{v:.6g}" for k, v in logs.items()}}
        self.rows.append({**row, "seconds": f"{seconds:.1f}"})
        new = self.folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        self.model.save_weights(new / "state.weights.h5")
        write_history(new / "history.csv", self.rows)
        (new / "resumed_after.json").write_text(json.dumps(self.resumed_after))
        earlier, self.latest = self.latest, self.folder / f"epoch-{len(self.rows):02}"
        new.rename(self.latest)
        if earlier:
            shutil.rmtree(earlier)
        print(", ".join(f"{name} {value}" for name, value in self.rows[-1].items()))


def write_history(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def recipe():
    """Return the source of the cells that are run: the network, then the training."""
    cells = [
        *cell_sources("02-model.ipynb", "network"),
        *cell_sources("03-training.ipynb", "train"),
    ]
    return "\n\n".join(cells) + "\n"


def train(run, epochs, deterministic=False):
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    partial = run.with_name(run.name + ".partial")
    replaced = partial / "replaced"
    if replaced.exists() and not run.exists():  # killed between the two renames below
        replaced.rename(run)
    program = recipe()
    note = partial / "recipe.py"
    recorder = Recorder(partial)
    if recorder.rows and note.read_text(encoding="utf-8") != program:
        raise SystemExit(
            f"{partial} holds an unfinished training of other notebook cells: delete"
            " that folder to start again, or restore the cells to go on with it."
        )
    partial.mkdir(parents=True, exist_ok=True)
    note.write_text(program, encoding="utf-8")
    started_from = origin()
    names = run_cells(
        "03-training.ipynb",
        "train",
        epochs=epochs - len(recorder.rows),
        callbacks=[recorder],
    )
    model = names["model"]
    x_test, y_test = names["cifar"].test
    y_test_one_hot = keras.utils.to_categorical(y_test, 100)
    loss, accuracy = model.evaluate(x_test, y_test_one_hot, verbose=0)

    finished = partial / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    # A model that was not compiled saves its weights without the optimizer's state.
    weights_only = names["build_model"]()
    weights_only.set_weights(model.get_weights())
    weights_only.save_weights(finished / "model.weights.h5")
    write_history(finished / "history.csv", recorder.rows)
    (finished / "recipe.py").write_text(program, encoding="utf-8")
    record = {
        "seed": names["SEED"],
        "recipe": {
            "images": len(names["x_train"]),
            "validation_split": names["VALIDATION_SPLIT"],
            "batch_size": names["BATCH_SIZE"],
            "epochs": epochs,
            "loss": model.loss,
            "optimizer": {
                name: float(f"{value:.6g}") if isinstance(value, float) else value
                for name, value in model.optimizer.get_config().items()
                if value is not None
            },
            "parameters": model.count_params(),
            "resumed_after_epochs": recorder.resumed_after,
            "deterministic_operations": deterministic,
        },
        "test": {"loss": round(loss, 4), "accuracy": round(accuracy, 4)},
        "seconds_per_epoch": round(
            statistics.median(float(row["seconds"]) for row in recorder.rows), 1
        ),
        "finished": datetime.date.today().isoformat(),
        **started_from,
        "data_sha256": {name: sha256 for name, (_, sha256) in FILES.items()},
        "files_sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(finished.iterdir())
        },
    }
    (finished / "run.json").write_text(json.dumps(record, indent=2) + "\n")
    if run.exists():
        run.rename(replaced)
    finished.rename(run)
    shutil.rmtree(partial)
    print(f"Test accuracy {accuracy:.4f}, test loss {loss:.4f}; recorded in {run}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder to record the run in")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="use TensorFlow's deterministic operations, which a GPU needs to repeat",
    )
    arguments = parser.parse_args()
    if not sys.stdout.isatty():
        keras.config.disable_interactive_logging()
    try:
        train(arguments.run, arguments.epochs, arguments.deterministic)
    except (DataError, OSError) as error:
        raise SystemExit(f"Not trained: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(
            "Stopped; the same command goes on after the last complete epoch."
        ) from None


if __name__ == "__main__":
    main()
