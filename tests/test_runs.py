import ast
import json
import re
import shutil

import pandas as pd
import pytest

from helpers import RunError, load_run, load_weights, run_cells, tidy_history
from helpers.data import FILES
from helpers.notebooks import cell_sources
from helpers.runs import RUNS


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(RUNS / "baseline", tmp_path / "baseline")
    return tmp_path


@pytest.fixture(scope="module")
def network():
    return run_cells("02-model.ipynb", "network")["build_model"]()


def test_recorded_run_is_whole(network):
    run = load_run("baseline")
    load_weights(network, run)
    assert run.history["epoch"].tolist() == list(range(1, 31))
    assert 0.43 < run.record["test"]["accuracy"] < 0.47
    assert run.record["recipe"]["images"] == 50_000
    assert run.record["recipe"]["parameters"] == network.count_params() == 964_516


@pytest.mark.parametrize("name", [path.parent.name for path in RUNS.glob("*/run.json")])
def test_recorded_run_is_of_the_real_data(name):
    hashes = {name: sha256 for name, (_, sha256) in FILES.items()}
    assert load_run(name).record["data_sha256"] == hashes


def test_recorded_run_is_of_the_committed_cells():
    recorded = (RUNS / "baseline" / "recipe.py").read_text(encoding="utf-8")
    cells = [
        *cell_sources("02-model.ipynb", "network"),
        *cell_sources("03-training.ipynb", "train"),
    ]
    assert ast.unparse(ast.parse(recorded)) == ast.unparse(ast.parse("\n".join(cells)))


@pytest.mark.parametrize(
    "name", ["run.json", "history.csv", "model.weights.h5", "recipe.py"]
)
def test_missing_file_is_named(copied, name):
    (copied / "baseline" / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing.*make train"):
        load_run("baseline", copied)


@pytest.mark.parametrize("name", ["history.csv", "model.weights.h5"])
def test_truncated_file_is_named(copied, name):
    path = copied / "baseline" / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RunError, match=f"{name} is truncated"):
        load_run("baseline", copied)


@pytest.mark.parametrize("name", ["history.csv", "recipe.py"])
def test_record_that_vouches_for_too_little_is_refused(copied, name):
    path = copied / "baseline" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["files_sha256"][name]
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(RunError, match="not a whole record"):
        load_run("baseline", copied)


def test_run_without_weights_is_refused_where_weights_are_asked_for(network):
    with pytest.raises(RunError, match="has kept no weights"):
        load_weights(network, load_run("large"))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_truncated_record_is_refused(copied, content):
    (copied / "baseline" / "run.json").write_text(content)
    with pytest.raises(RunError, match="not a whole record"):
        load_run("baseline", copied)


def test_missing_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is missing from the recorded run"):
        load_run("baseline", tmp_path)


def test_weights_of_another_network_are_refused():
    import keras

    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(RunError, match="another network than this of 10 parameters"):
        load_weights(other, load_run("baseline"))


def test_history_becomes_tidy():
    history = {"accuracy": [0.1, 0.2], "val_accuracy": [0.3, 0.4], "seconds": [1, 1]}
    tidy = tidy_history(history)
    assert tidy.to_dict("list") == {
        "epoch": [1, 2, 1, 2],
        "metric": ["accuracy"] * 4,
        "split": ["training"] * 2 + ["validation"] * 2,
        "value": [0.1, 0.2, 0.3, 0.4],
    }


def test_history_without_validation_is_refused():
    with pytest.raises(ValueError, match="expected a metric and its val_ column"):
        tidy_history(pd.DataFrame({"loss": [1.0]}))


def test_record_is_readable_json_with_its_origin():
    record = json.loads((RUNS / "baseline" / "run.json").read_text(encoding="utf-8"))
    assert record["seed"] == 425
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", record["commit"])
    assert set(record["versions"]) == {"python", "tensorflow", "keras", "numpy"}
    assert record["machine"]["processor"] and record["seconds_per_epoch"] > 0
