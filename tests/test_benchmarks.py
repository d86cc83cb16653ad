import json
import re

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


def test_recorded_results_are_of_the_lecture_on_the_real_data(results):
    parameters = {name: run["parameters"] for name, run in results["training"].items()}
    assert {parameters[name] for name in ("original", "bundle", "pytorch")} == {964_516}
    record = load_run("improving").record
    choice = record["test"][0]["step"]
    assert parameters["improved"] == record["recipe"]["parameters"][choice]
    assert results["data_sha256"] == {name: sha for name, (_, sha) in FILES.items()}
    assert re.fullmatch(r"[0-9a-f]{40}", results["commit"]), "a clean commit"
    assert results["machine"]["processor"] and all(results["versions"].values())


def test_recorded_summary_is_that_of_the_recorded_runs(results, benchmark):
    speed = results["matrix_product_operations_per_second"]
    forward = results["training"]["original"]["runs"][0]["multiply_adds"]
    for name, entry in results["training"].items():
        scheduled = name in benchmark.SCHEDULED
        assert entry == benchmark.summary(entry["runs"], speed, forward, scheduled)


def test_original_and_bundle_learn_the_same(results):
    """They differ in the number format of the pixels, so in the last digits."""
    last = [
        results["training"][name]["runs"][0]["test_accuracies"][-1]
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
        "multiply_adds": None,
    }
    return [run, {**run, "peak_bytes": 2 * 10**9}]


def test_first_epoch_is_left_out_of_the_speed(benchmark, two_runs):
    summary = benchmark.summary(two_runs, 1e12, 10**6, scheduled=False)
    assert summary["seconds_per_epoch"] == 3
    assert (summary["fastest_epoch"], summary["slowest_epoch"]) == (2, 4)
    assert summary["images_per_second"] == round(50_000 / 3)
    assert summary["operations_per_epoch"] == 2 * 10**6 * 130_000
    assert summary["peak_bytes"] == 2 * 10**9
    assert (summary["seconds"], summary["test_accuracy"]) == (109, 0.45)


def test_goal_counts_at_the_end_of_a_schedule_else_when_first_reached(
    benchmark, two_runs
):
    assert benchmark.seconds_to_goal(two_runs, scheduled=False) == 104
    assert benchmark.seconds_to_goal(two_runs, scheduled=True) == 109
    two_runs[1] = {**two_runs[1], "test_accuracies": [0.1, 0.5, 0.3, 0.4]}
    assert benchmark.seconds_to_goal(two_runs, scheduled=False) == 104
    assert benchmark.seconds_to_goal(two_runs, scheduled=True) is None


def test_short_trainings_are_spread_among_the_long_ones(benchmark):
    trainings = benchmark.plan(**benchmark.MODES["full"])
    names = [name for name, *_ in trainings]
    assert names[:4] == ["original", "improved", "bundle", "improved"]
    assert [seed for name, _, seed in trainings if name == "improved"] == [
        *range(425, 430)
    ]
    assert names.count("large") == 1


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
