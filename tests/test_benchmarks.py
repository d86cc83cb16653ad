import json
import re

import numpy as np
import pytest
from conftest import ROOT, load_script

from helpers import load_run, run_cells
from helpers.data import FILES


@pytest.fixture(scope="module")
def benchmark():
    return load_script(ROOT / "benchmarks" / "run.py")


@pytest.fixture(scope="module")
def results():
    path = ROOT / "benchmarks" / "results.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_recorded_results_are_of_the_lecture_on_the_real_data(results, benchmark):
    plan = benchmark.plan(**benchmark.MODES[results["mode"]])
    runs = [run for entry in results["speed"].values() for run in entry["runs"]]
    assert set(results["speed"]) == {"original", "bundle", "pytorch"}
    assert {run["parameters"] for run in runs} == {964_516}
    assert len({run["multiply_adds"] for run in runs}) == 1
    planned = {(name, seed) for purpose, name, _, seed in plan if purpose == "goal"}
    goal = results["goal"]
    found = {(name, run["seed"]) for name in goal for run in goal[name]["runs"]}
    assert found == planned
    for name, record in (("improved", "improving"), ("large", "large")):
        record = load_run(record).record
        choice = record["test"][-1]["step"]
        parameters = record["recipe"]["parameters"][choice]
        assert name not in goal or goal[name]["parameters"] == parameters
    assert results["data_sha256"] == {name: sha for name, (_, sha) in FILES.items()}
    assert re.fullmatch(r"[0-9a-f]{40}", results["commit"]), "a clean commit"
    assert results["machine"]["processor"] and all(results["versions"].values())
    notebooks = {path.name for path in ROOT.glob("notebooks/*.ipynb")}
    assert notebooks < set(results["seconds"]), "the rest has been measured"


def test_recorded_summaries_are_those_of_the_recorded_runs(results, benchmark):
    matrix_product = results["matrix_product_operations_per_second"]
    for entry in results["speed"].values():
        assert entry == benchmark.speed_of(entry["runs"], matrix_product)
    for name, entry in results["goal"].items():
        assert entry == benchmark.way_to_goal(entry["runs"], name != "original")


def test_benchmark_and_records_agree(results):
    """The same cells, from the same seeds, on whatever machines they were run."""
    for name, record, near in (
        ("improved", "improving", 0.01),
        ("large", "large", 0.02),
    ):
        test = load_run(record).record["test"]
        choice = test[-1]["step"]
        recorded = {r["seed"]: r["accuracy"] for r in test if r["step"] == choice}
        for run in results["goal"].get(name, {"runs": []})["runs"]:
            nearest = recorded.get(run["seed"], np.mean(list(recorded.values())))
            assert run["test_accuracies"][-1] == pytest.approx(nearest, abs=near)


def test_original_and_bundle_learn_the_same(results):
    """They differ in the number format of the pixels, so in the last digits."""
    last = [
        results["speed"][name]["runs"][0]["test_accuracies"][-1]
        for name in ("original", "bundle", "pytorch")
    ]
    assert min(last) > 0.1 and max(last) - min(last) < 0.1


@pytest.fixture
def two_runs():
    run = {
        "epoch_seconds": [100, 4, 2, 3],
        "test_accuracies": [0.1, 0.5, 0.3, 0.45],
        "peak_bytes": 10**9,
        "parameters": 7,
        "multiply_adds": 10**6,
    }
    return [run, {**run, "peak_bytes": 2 * 10**9}]


def test_first_epoch_is_left_out_of_the_speed(benchmark, two_runs):
    speed = benchmark.speed_of(two_runs, matrix_product=1e12)
    assert speed["seconds_per_epoch"] == 3
    assert (speed["fastest_epoch"], speed["slowest_epoch"]) == (2, 4)
    assert speed["images_per_second"] == round(50_000 / 3)
    assert speed["share_of_matrix_product"] == round(2e6 * 130_000 / 3 / 1e12, 3)
    assert speed["peak_bytes"] == 2 * 10**9


def test_goal_counts_at_the_end_of_a_schedule_else_when_first_reached(
    benchmark, two_runs
):
    way = benchmark.way_to_goal(two_runs, scheduled=False)
    assert (way["seconds"], way["test_accuracy"]) == (109, 0.45)
    assert way["seconds_to_goal"] == 104
    assert benchmark.seconds_to_goal(two_runs, scheduled=True) == 109
    two_runs[1] = {**two_runs[1], "test_accuracies": [0.1, 0.5, 0.3, 0.4]}
    assert benchmark.seconds_to_goal(two_runs, scheduled=False) == 104
    assert benchmark.seconds_to_goal(two_runs, scheduled=True) is None


def test_trainings_of_notebook_5_are_spread_among_the_others(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "torch_version", lambda: "2.8")
    trainings = benchmark.plan(**benchmark.MODES["full"])
    names = [name for _, name, *_ in trainings]
    places = [place for place, name in enumerate(names) if name == "improved"]
    assert len(places) == 5 and places[0] < 3 and places[-1] > 8, names
    assert [seed for _, name, _, seed in trainings if name == "improved"] == [
        *range(425, 430)
    ]
    assert ("goal", "original", 30, 425) in trainings
    assert ("goal", "large", None, 426) in trainings


def test_arithmetic_is_that_of_the_network():
    """The two convolutions and dense layers that are easy to count by hand."""
    contender = load_script(ROOT / "benchmarks" / "contender.py")
    network = run_cells("02-model.ipynb", "network")["build_model"]()
    stages = [(32, 3, 32), (16, 32, 64), (8, 64, 128), (4, 128, 256)]
    by_hand = sum(size**2 * 9 * before * after for size, before, after in stages)
    by_hand += 1024 * 512 + 512 * 100
    assert contender.multiply_adds(network) == by_hand


def test_matrix_product_is_measured(benchmark):
    assert 1e8 < benchmark.matrix_product_speed() < 1e15


def test_training_repeats_itself():
    """What the page on systems says of two trainings, by the last `make repeat`."""
    path = ROOT / "benchmarks" / "repeat.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    tool = load_script(ROOT / "benchmarks" / "repeat.py")
    assert set(results["ways"]) == set(tool.WAYS)
    for way in results["ways"].values():
        assert way == tool.summary(way["runs"])
        assert way["same_history"] and way["same_weights"]
        assert len(way["runs"]) == tool.TURNS >= 2
        assert all(len(run["history"]) == tool.EPOCHS for run in way["runs"])
    plain, deterministic = (way["fastest_epoch"] for way in results["ways"].values())
    assert results["deterministic_over_plain"] == round(deterministic / plain, 2)
    assert re.fullmatch(r"[0-9a-f]{40}", results["commit"]), "a clean commit"


@pytest.mark.parametrize("changed", ["history", "weights_sha256"])
def test_training_that_does_not_repeat_itself_is_found(changed):
    run = {"epoch_seconds": [3.0], "history": [{"loss": "4.2"}], "weights_sha256": "a"}
    tool = load_script(ROOT / "benchmarks" / "repeat.py")
    same = tool.summary([run, dict(run)])
    assert same["same_history"] and same["same_weights"]
    other = tool.summary([run, {**run, changed: "other"}])
    assert other["same_history"] == (changed != "history")
    assert other["same_weights"] == (changed != "weights_sha256")
