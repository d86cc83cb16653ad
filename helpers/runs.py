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
    """A recorded training, from `load_run`."""

    record: dict  # run.json, whose entries are described in runs/schema.json
    history: pd.DataFrame  # a row per epoch, from 1: the metrics and the seconds
    weights: Path | None  # the file of the trained weights, if they were kept


def load_run(name):
    """Return one recorded training, after checking its files.

    Parameters
    ----------
    name : str
        A training, such as "improving/weight-decay-425", or a group that holds just
        one, such as "baseline".

    Returns
    -------
    Run
        The record, the history and the file of weights.

    Raises
    ------
    RunError
        If the name stands for several trainings, or if a file is missing or is not the
        one that ``run.json`` describes.
    """
    if "/" in name:
        return _read(RUNS / name)
    first, *others = _trainings(name)
    if others:
        raise RunError(
            f"{name} holds {len(others) + 1} trainings, expected one: name one, such as"
            f' "{name}/{first.name}", or use load_runs.'
        )
    return _read(first)


def load_runs(group):
    """Return all recorded trainings of a group, such as "improving", as two tables.

    Returns
    -------
    trainings : pandas.DataFrame
        A row for each training. The columns are the entries of ``run.json``, nested
        ones as in "test.accuracy"; "seconds" is the sum over the epochs.
    epochs : pandas.DataFrame
        A row for each epoch of each history, with the step and the seed.
    """
    runs = [_read(path) for path in _trainings(group)]
    runs.sort(key=lambda run: (run.record["number"], run.record["seed"]))
    trainings = pd.json_normalize([run.record for run in runs])
    trainings["seconds"] = [run.history["seconds"].sum() for run in runs]
    labels = ("step", "seed")
    histories = [r.history.assign(**{x: r.record[x] for x in labels}) for r in runs]
    return trainings, pd.concat(histories, ignore_index=True)


def _trainings(group):
    """Return the folders of a group, without those that are still unfinished."""
    found = sorted(p.parent for p in RUNS.glob(f"{group}/*/run.json"))
    found = [path for path in found if not path.suffix]
    if not found:
        raise RunError(f"{RUNS / group} holds no training, expected one: {ADVICE}")
    return found


def _read(path):
    """Return a training from its folder, if every file is as recorded."""
    try:
        record = json.loads((path / "run.json").read_text(encoding="utf-8"))
        expected = record["files_sha256"]
        kept = ["history.csv", *({"model.weights.h5"} & set(expected))]
        for name in kept:
            content = (path / name).read_bytes()
            if hashlib.sha256(content).hexdigest() != expected[name]:
                raise ValueError(f"{name} is truncated or was changed")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} is not a whole record of a training"
            f" ({type(error).__name__}: {error}): {ADVICE}"
        ) from None
    weights = path / "model.weights.h5" if len(kept) > 1 else None
    return Run(record, pd.read_csv(path / "history.csv"), weights)


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
        If a metric has no validation value, or the rows are of several trainings.
    """
    wide = pd.DataFrame(history)
    metrics = [name for name in wide if f"val_{name}" in wide]
    if not metrics or ("epoch" in wide and wide["epoch"].duplicated().any()):
        raise ValueError(
            f"the history has {len(wide)} rows and the columns {list(wide)}, expected"
            " a metric and its val_ column, once per epoch: pass the history of one fit"
            " with validation images."
        )
    wide["epoch"] = range(1, len(wide) + 1)
    columns = [prefix + metric for metric in metrics for prefix in ("", "val_")]
    tidy = wide.melt("epoch", columns, "metric")
    validation = tidy["metric"].str.startswith("val_")
    tidy.insert(2, "split", validation.map({False: "training", True: "validation"}))
    return tidy.assign(metric=tidy["metric"].str.removeprefix("val_"))
