"""Read the recorded training runs in ``runs/``, and reshape a training's history."""

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

RUNS = Path(__file__).resolve().parents[1] / "runs"


def origin():
    """Return where a measured number comes from.

    Returns
    -------
    dict
        ``commit``, marked "-dirty" if files differ from it, or "unknown"; ``machine``:
        its processor, the number of its cores, its system; ``versions`` of Python,
        TensorFlow, Keras and NumPy.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(command, cwd=RUNS, capture_output=True, text=True)
        commit = result.stdout.strip() or "unknown"
    except OSError:  # no git
        commit = "unknown"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(x.split(":")[1].strip() for x in lines if "model name" in x)
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return {
        "commit": commit,
        "machine": {
            "processor": processor,
            "cores": os.cpu_count(),
            "system": platform.platform(),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "keras", "numpy")},
        },
    }


class RunError(Exception):
    """A recorded run cannot be used; the message says why and what to do."""


class Run(NamedTuple):
    """A recorded training run.

    Attributes
    ----------
    record : dict
        What was run, on which machine, with which versions, and the test result; the
        content of ``run.json``.
    history : pandas.DataFrame
        A row for each epoch, as `tidy_history` takes it, and its seconds; where the
        record is of several trainings, also the step and the seed.
    weights : pathlib.Path or None
        The trained weights, for `load_weights`; None where they were not kept.
    """

    record: dict
    history: pd.DataFrame
    weights: Path | None


def load_run(name, folder=RUNS):
    """Return a recorded run, after checking that its files are the recorded ones.

    Parameters
    ----------
    name : str
        The run's folder in `folder`, such as "baseline".
    folder : path-like, optional
        Where the runs are; by default ``runs/`` of the repository.

    Returns
    -------
    Run
        The record, the history and the weights.

    Raises
    ------
    RunError
        If the name or that of a file leads out of `folder`, a file is missing, or is
        not the one that ``run.json`` describes.
    """
    run = _inside(folder, name)
    advice = (
        "restore the folder from git, or record it again with `make train` or `make"
        " improve`."
    )
    try:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        files = record["files_sha256"]
        for file in {"history.csv", "recipe.py", *files}:
            content = _inside(run, file).read_bytes()
            if hashlib.sha256(content).hexdigest() != files[file]:
                raise RunError(
                    f"{run / file} is truncated or was changed, expected the file that"
                    f" run.json describes: {advice}"
                )
    except FileNotFoundError as error:
        raise RunError(
            f"{error.filename} is missing from the recorded run: {advice}"
        ) from None
    except OSError as error:
        raise RunError(f"the recorded run cannot be read, {error}: {advice}") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(
            f"{run / 'run.json'} is not a whole record of a run: {advice}"
        ) from None
    weights = run / "model.weights.h5" if "model.weights.h5" in files else None
    return Run(record, pd.read_csv(run / "history.csv"), weights)


def _inside(folder, name):
    """Return the path of what a folder holds by this name, and nowhere else."""
    path = Path(folder) / name
    if path.resolve().parent != Path(folder).resolve():
        raise RunError(
            f"{path} leads out of {folder}, expected something in that folder: give its"
            ' name alone, such as "baseline".'
        )
    return path


def load_weights(model, run):
    """Put the weights of a recorded run into a model of the same network.

    The file holds numbers alone: nothing that it contains is executed.

    Parameters
    ----------
    model : keras.Model
        The network, built; its weights are replaced.
    run : Run
        From `load_run`.

    Raises
    ------
    RunError
        If the weights were not kept, belong to another network, or are none.
    """
    if run.weights is None:
        raise RunError(
            "the run has kept no weights, expected a run with model.weights.h5: load"
            " the run baseline, or train the network again."
        )
    try:
        model.load_weights(run.weights)
    except (ValueError, OSError) as error:
        raise RunError(
            f"{run.weights} holds no weights, or those of another network than this of"
            f" {model.count_params():,} parameters: build the network of notebook 2, or"
            " record the run again with `make train`."
        ) from error


def tidy_history(history):
    """Return a training's history with one value in each row.

    Parameters
    ----------
    history : dict of list, or pandas.DataFrame
        ``history`` of what Keras' `fit` returns, or of a `Run`: for each metric a
        column, and one prefixed with "val_" for the validation images.

    Returns
    -------
    pandas.DataFrame
        Columns epoch (from 1), metric ("accuracy", "loss"), split ("training",
        "validation") and value.

    Raises
    ------
    ValueError
        If the history has no metric with its validation value.
    """
    wide = pd.DataFrame(history)
    metrics = [name for name in wide if f"val_{name}" in wide]
    if not metrics:
        raise ValueError(
            f"the history has the columns {list(wide)}, expected a metric and its"
            " val_ column: pass the history of a fit with validation images."
        )
    parts = [
        pd.DataFrame(
            {
                "epoch": range(1, len(wide) + 1),
                "metric": metric,
                "split": split,
                "value": wide[prefix + metric].to_numpy(),
            }
        )
        for metric in metrics
        for split, prefix in (("training", ""), ("validation", "val_"))
    ]
    return pd.concat(parts, ignore_index=True)
