"""Read the recorded trainings in ``runs/``, and reshape a training's history."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

RUNS = Path(__file__).resolve().parents[1] / "runs"
ADVICE = "restore the folder from git, or record it again with `make record`."


class RunError(Exception):
    """A recorded training cannot be used; the message says why and what to do."""


class Run(NamedTuple):
    """A recorded training.

    Attributes
    ----------
    record : dict
        What was trained, on which machine, with which versions, and the test result:
        the content of ``run.json``, as ``runs/schema.json`` describes it.
    history : pandas.DataFrame
        A row for each epoch, counted from 1: the metrics and the seconds.
    weights : pathlib.Path or None
        The trained weights, for `load_weights`; None where they were not kept.
    """

    record: dict
    history: pd.DataFrame
    weights: Path | None


def load_run(name, folder=RUNS):
    """Return one recorded training, after checking its files.

    Parameters
    ----------
    name : str
        A training, such as "improving/weight-decay-425", or a group that holds just
        one, such as "baseline".
    folder : path-like, optional
        Where the groups are; by default ``runs/`` of the repository.

    Returns
    -------
    Run
        The record, the history and the weights.

    Raises
    ------
    RunError
        If the name leads out of `folder` or stands for several trainings, or if a file
        is missing or is not the one that ``run.json`` describes.
    """
    path = _inside(folder, name)
    if "/" not in name:
        trainings = _trainings(path)
        if len(trainings) != 1:
            raise RunError(
                f"{path} holds {len(trainings)} trainings, expected one: name one, such"
                f' as "{name}/{trainings[0].name}", or use load_runs.'
            )
        (path,) = trainings
    return _read(path)


def load_runs(name, folder=RUNS):
    """Return all recorded trainings of a group as two tables.

    Parameters
    ----------
    name : str
        The group, such as "improving".
    folder : path-like, optional
        Where the groups are; by default ``runs/`` of the repository.

    Returns
    -------
    trainings : pandas.DataFrame
        A row for each training. The columns are the entries of ``run.json``, with
        nested ones as "test.accuracy"; "seconds" is the sum over the epochs.
    history : pandas.DataFrame
        A row for each epoch, with the step and the seed of its training.

    Raises
    ------
    RunError
        As in `load_run`.
    """
    runs = [_read(path) for path in _trainings(_inside(folder, name))]
    runs.sort(key=lambda run: (run.record["number"], run.record["seed"]))
    trainings = pd.json_normalize([run.record for run in runs])
    trainings["seconds"] = [run.history["seconds"].sum() for run in runs]
    history = pd.concat(
        [
            run.history.assign(step=run.record["step"], seed=run.record["seed"])
            for run in runs
        ],
        ignore_index=True,
    )
    return trainings, history


def _trainings(group):
    """Return the folders of a group, without those that are still unfinished."""
    found = sorted(path.parent for path in group.glob("*/run.json"))
    found = [path for path in found if not path.suffix]
    if not found:
        raise RunError(f"{group} holds no run.json, expected trainings: {ADVICE}")
    return found


def _inside(folder, name):
    """Return the path that a name has in a folder, and nowhere else."""
    path, folder = Path(folder) / name, Path(folder)
    if folder.resolve() not in path.resolve().parents or ".." in Path(name).parts:
        raise RunError(
            f"{path} leads out of {folder}, expected something in that folder: give its"
            ' name alone, such as "baseline".'
        )
    return path


def _read(path):
    """Return a training from its folder, if every file is as recorded."""
    try:
        record = json.loads((path / "run.json").read_text(encoding="utf-8"))
        files = record["files_sha256"]
        for file in {"history.csv", *files}:
            content = _inside(path, file).read_bytes()
            if hashlib.sha256(content).hexdigest() != files[file]:
                raise RunError(
                    f"{path / file} is truncated or was changed, expected the file that"
                    f" run.json describes: {ADVICE}"
                )
    except OSError as error:
        raise RunError(
            f"the recorded training in {path} cannot be read ({error}): {ADVICE}"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise RunError(
            f"{path / 'run.json'} is not a whole record of a training: {ADVICE}"
        ) from None
    weights = path / "model.weights.h5" if "model.weights.h5" in files else None
    return Run(record, pd.read_csv(path / "history.csv"), weights)


def load_weights(model, run):
    """Put the weights of a recorded training into a model of the same network.

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
            " record the run again with `make record`."
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
        If the history has no metric with its validation value, or is of several
        trainings.
    """
    wide = pd.DataFrame(history)
    metrics = [name for name in wide if f"val_{name}" in wide]
    if not metrics:
        raise ValueError(
            f"the history has the columns {list(wide)}, expected a metric and its"
            " val_ column: pass the history of a fit with validation images."
        )
    if "epoch" in wide and wide["epoch"].duplicated().any():
        raise ValueError(
            "the history has several rows for one epoch, expected those of a single"
            " training: select one first, by its step and seed."
        )
    wide["epoch"] = range(1, len(wide) + 1)
    columns = [prefix + metric for metric in metrics for prefix in ("", "val_")]
    tidy = wide.melt("epoch", columns, "metric")
    validation = tidy["metric"].str.startswith("val_")
    split = validation.map({False: "training", True: "validation"})
    tidy.insert(2, "split", split)
    return tidy.assign(metric=tidy["metric"].str.removeprefix("val_"))
