"""Reading what was recorded: whole records, drafts, histories."""

import json
import shutil

import pytest
from jsonschema import Draft202012Validator

from helpers import RunError, load_run, load_runs, load_weights, tidy_history
from helpers.runs import RUNS, Run


def test_records_follow_the_schema_and_are_whole():
    schema = json.loads((RUNS / "schema.json").read_text(encoding="utf-8"))
    paths = sorted(RUNS.glob("*/*/run.json"))
    assert paths
    for path in paths:
        record = load_run(path.parent.relative_to(RUNS).as_posix()).record
        Draft202012Validator(schema).validate(record)


def test_trainings_from_one_seed_repeat_each_other():
    trainings, epochs = load_runs("repeat")
    for way in ("plain", "deterministic"):
        of_way = trainings[trainings["step"].str.startswith(way)]
        assert len(of_way) >= 2 and len(set(of_way["weights_sha256"])) == 1
        rows = epochs[epochs["step"].str.startswith(way)].drop(columns="seconds")
        rows = rows.groupby("epoch").nunique().drop(columns=["step", "seed"])
        assert (rows == 1).all(axis=None)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the baseline among runs/ of its own; the value is its folder."""
    shutil.copytree(RUNS / "baseline", tmp_path / "baseline")
    monkeypatch.setattr("helpers.runs.RUNS", tmp_path)
    return next((tmp_path / "baseline").iterdir())


def test_damaged_record_is_one_sentence(copied):
    whole = {path: path.read_bytes() for path in copied.iterdir()}
    record, history, _ = load_run("baseline")
    assert len(history) == record["epochs"]
    assert load_run(f"baseline/{copied.name}").weights == copied / "model.weights.h5"
    for path, content in whole.items():
        for damage in (content[:-10], b"", b"{}", None):
            path.unlink() if damage is None else path.write_bytes(damage)
            with pytest.raises(RunError, match="restore the folder from git, or"):
                load_run("baseline")
        path.write_bytes(content)
    shutil.copytree(copied, copied.with_name("other"))
    with pytest.raises(RunError, match="holds 2 trainings, expected one"):
        load_run("baseline")
    for name in ("nothing", "/"):
        with pytest.raises(RunError, match="holds no training"):
            load_run(name)


def test_record_that_is_being_replaced_is_still_there(copied):
    name = f"baseline/{copied.name}"
    copied.rename(copied.with_name(copied.name + ".old"))
    assert load_run("baseline").record == load_run(name).record
    shutil.copytree(copied.with_name(copied.name + ".old"), copied)
    assert load_run("baseline").weights == copied / "model.weights.h5"


@pytest.mark.parametrize("commit", ["unknown", "0" * 40 + "-dirty", None])
def test_record_that_names_no_commit_is_refused_unless_asked(copied, commit):
    path = copied / "run.json"
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(record | {"commit": commit, "converted": None}))
    for load in (load_run, load_runs):
        with pytest.raises(RunError, match="is a draft: its code was not committed"):
            load("baseline")
    assert load_run("baseline", drafts=True).record["commit"] == commit
    path.write_text(json.dumps(record | {"commit": "0" * 40, "converted": None}))
    assert load_run("baseline").record["commit"] == "0" * 40


def test_history_becomes_tidy():
    history = {"accuracy": [0.1, 0.2], "val_accuracy": [0.3, 0.4], "seconds": [1, 1]}
    assert tidy_history(history).to_dict("list") == {
        "epoch": [1, 2, 1, 2],
        "metric": ["accuracy"] * 4,
        "split": ["training"] * 2 + ["validation"] * 2,
        "value": [0.1, 0.2, 0.3, 0.4],
    }
    repeated = {"epoch": [1, 1], "loss": [1, 1], "val_loss": [1, 1]}
    for wrong in ({"loss": [1.0]}, repeated):
        with pytest.raises(ValueError, match="pass the history of one fit"):
            tidy_history(wrong)


def network(*units):
    """A small dense network on five inputs, with other weights each time."""
    import keras

    dense = [keras.layers.Dense(n) for n in units]
    return keras.Sequential([keras.Input(shape=(5,)), *dense])


def test_weights_of_another_network_are_one_sentence(tmp_path):
    model = network(4, 2)
    model.save_weights(tmp_path / "model.weights.h5")
    record = {"run": "group", "step": "Step", "parameters": model.count_params()}
    run = Run(record, None, tmp_path / "model.weights.h5")

    same = network(4, 2)
    load_weights(same, run)
    for loaded, saved in zip(same.get_weights(), model.get_weights(), strict=True):
        assert (loaded == saved).all()

    fits_not = "belong to a network of 34 parameters, and this one has"
    for units, sentence in (
        ((4, 3), f"{fits_not} 39: restore the cells that define it"),
        ((4,), f"{fits_not} 24: restore"),  # Keras itself would load half of the file
        ((3, 4), f"{fits_not} 34 in other layers: restore"),
    ):
        with pytest.raises(RunError, match=sentence) as caught:
            load_weights(network(*units), run)
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(RunError, match="kept no weights, expected a training that did"):
        load_weights(model, run._replace(weights=None))
