"""Read the recorded trainings in ``runs/``, and reshape a training's history."""

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

RUNS = Path(__file__).resolve().parents[1] / "runs"
ADVICE = "restore the folder from git, or record it again: make record JOBS=<group>."


class RunError(Exception):
    """A recorded training cannot be used; the message says why and what to do."""

    def _render_traceback_(self):
        """Let a notebook show the sentence alone."""
        return [f"{type(self).__name__}: {self}"]


class Run(NamedTuple):
    """A recorded training."""

    record: dict  # run.json, whose entries are described in runs/schema.json
    history: pd.DataFrame  # a row per epoch, from 1: the metrics and the seconds
    weights: Path | None  # the file of the trained weights, if they were kept


def load_run(name, drafts=False):
    """Return one recorded training as a `Run`, after checking its files.

    Parameters
    ----------
    name : str
        A training, such as "improving/weight-decay-425", or a group of one, "baseline".
    drafts : bool, default False
        Whether records that name no commit are wanted, too.

    Raises
    ------
    RunError
        If the name stands for none or several, a file is not as it was recorded, or the
        record is a draft.
    """
    paths = _trainings(name)
    if len(paths) > 1:
        raise RunError(
            f"{name} holds {len(paths)} trainings, expected one: name one, such as"
            f' "{name}/{paths[0].name}", or use load_runs.'
        )
    return _read(paths[0], drafts)


def load_runs(group, drafts=False):
    """Return all recorded trainings of a group, such as "improving", as two tables.

    Parameters
    ----------
    group : str
        A folder in ``runs/``.
    drafts : bool, default False
        Whether records that name no commit are wanted, too.

    Returns
    -------
    trainings : pandas.DataFrame
        A row for each training. The columns are the entries of ``run.json``, nested
        ones as in "test.accuracy"; "seconds" is the sum over the epochs.
    epochs : pandas.DataFrame
        A row for each epoch of each history, with the step and the seed.

    Raises
    ------
    RunError
        As `load_run`.
    """
    runs = [_read(path, drafts) for path in _trainings(group)]
    runs.sort(key=lambda run: (run.record["number"], run.record["seed"]))
    trainings = pd.json_normalize([run.record for run in runs])
    trainings["seconds"] = [run.history["seconds"].sum() for run in runs]
    for run in runs:
        run.history[["step", "seed"]] = run.record["step"], run.record["seed"]
    return trainings, pd.concat([run.history for run in runs], ignore_index=True)


def load_weights(model, run):
    """Load the weights of a recorded training into a network with the same layers.

    Parameters
    ----------
    model : keras.Model
        The network, as the function builds it that was recorded.
    run : Run
        What `load_run` returns.

    Raises
    ------
    RunError
        If the training kept no weights, or they belong to another network than this.
    """
    name = f"runs/{run.record['run']} ({run.record['step']})"
    if run.weights is None:
        raise RunError(
            f"{name} kept no weights, expected a training that did: choose one of the"
            ' recorded runs with a file of weights, such as "baseline".'
        )
    recorded, given = run.record["parameters"], model.count_params()
    fits = recorded == given
    if fits:
        try:
            model.load_weights(run.weights)
        except (KeyError, ValueError):  # as many parameters, in other layers
            fits = False
    if not fits:
        raise RunError(
            f"The weights of {name} belong to a network of {recorded:,} parameters,"
            f" and this one has {given:,}"
            + (" in other layers" if recorded == given else "")
            + ": restore the cells that define it (build_model is in part 2), or record"
            f" it again with `make record JOBS={run.record['run']}`."
        )


def _trainings(name):
    """Return the folders of a training or group, without those still unfinished.

    While a record is replaced, the old one has another name for a moment.
    """
    folder = RUNS / str(name)
    if "/" in str(name) and folder.name:
        candidates = [folder, folder.with_name(f"{folder.name}.old")]
    else:
        candidates = sorted(folder.glob("*"))
    recorded = [path for path in candidates if (path / "run.json").is_file()]
    found = [path for path in recorded if not path.suffix]
    for path in recorded:
        if path.suffix == ".old" and path.with_suffix("") not in found:
            found.append(path)
    if not found:
        raise RunError(f"{RUNS}/{name} holds no training, expected one: {ADVICE}")
    return sorted(found)


def _read(path, drafts):
    """Return a training from its folder, if every file is as recorded."""
    try:
        record = json.loads((path / "run.json").read_text(encoding="utf-8"))
        for name, expected in record["files_sha256"].items():
            content = (path / name).read_bytes()
            if hashlib.sha256(content).hexdigest() != expected:
                raise ValueError(f"{name} is truncated or was changed")
        history = pd.read_csv(path / "history.csv")
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RunError(f"{path} is no whole record ({reason}): {ADVICE}") from None
    if is_draft(record) and not drafts:
        raise RunError(
            f"{path} is a draft: its code was not committed when it was recorded."
            " Commit it and record it again, or load it with drafts=True."
        )
    return Run(record, history, next(path.glob("*.weights.h5"), None))


def is_draft(record):
    """Return whether a record names no commit that holds its code.

    Records that were converted from an older form say so themselves.
    """
    named = re.fullmatch("[0-9a-f]{40}", str(record.get("commit")))
    return not named and not record.get("converted")


def tidy_history(history):
    """Return a training's history with one value in each row.

    Parameters
    ----------
    history : dict of list, or pandas.DataFrame
        ``history`` of what Keras' `fit` returns, or of a `Run`, with columns in pairs:
        a metric, and the same prefixed with "val_"; single ones are left out.

    Returns
    -------
    pandas.DataFrame
        Columns epoch (from 1), metric, split ("training", "validation") and value.

    Raises
    ------
    ValueError
        If no metric has validation values, or the rows are of several trainings.
    """
    wide = pd.DataFrame(history)
    metrics = [name for name in wide if f"val_{name}" in wide]
    if not metrics or ("epoch" in wide and wide["epoch"].duplicated().any()):
        raise ValueError(
            f"the history has {len(wide)} rows of {list(wide)}, expected a metric and"
            " its val_ column, once per epoch: pass the history of one fit with both."
        )
    wide["epoch"] = range(1, len(wide) + 1)
    columns = [prefix + metric for metric in metrics for prefix in ("", "val_")]
    tidy = wide.melt("epoch", columns, "metric")
    validation = tidy["metric"].str.startswith("val_")
    tidy.insert(2, "split", validation.map({False: "training", True: "validation"}))
    return tidy.assign(metric=tidy["metric"].str.removeprefix("val_"))
