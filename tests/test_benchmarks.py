import json
import math
import re
import statistics

import pytest
from conftest import ROOT, load_script

from helpers import run_cells
from helpers.data import FILES


@pytest.fixture(scope="module")
def benchmark():
    return load_script(ROOT / "benchmarks" / "run.py")


@pytest.fixture(scope="module")
def results():
    path = ROOT / "benchmarks" / "results.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_recorded_results_are_of_one_network_on_the_real_data(results):
    assert {run["parameters"] for run in results["training"].values()} == {964_516}
    assert set(results["training"]) == {"original", "bundle", "pytorch"}
    assert results["data_sha256"] == {name: sha for name, (_, sha) in FILES.items()}
    assert re.fullmatch(r"[0-9a-f]{40}", results["commit"]), "a clean commit"
    assert results["machine"]["processor"] and all(results["versions"].values())


def test_recorded_summary_is_that_of_the_recorded_epochs(results):
    assert results["mode"] in ("quick", "full")
    for entry in results["training"].values():
        seconds = [s for run in entry["runs"] for s in run["epoch_seconds"][1:]]
        assert len(seconds) == results["rounds"] * (results["epochs"] - 1)
        assert entry["seconds_per_epoch"] == pytest.approx(
            statistics.median(seconds), abs=0.011
        )


def test_original_and_bundle_learn_the_same(results):
    """They differ in the number format of the pixels, so in the last digits."""
    last = [
        results["training"][name]["runs"][0]["test_accuracies"][-1]
        for name in ("original", "bundle", "pytorch")
    ]
    assert min(last) > 0.1 and max(last) - min(last) < 0.1


def test_first_epoch_is_left_out(benchmark):
    run = {
        "epoch_seconds": [100, 4, 2, 3],
        "test_accuracies": [0.1, 0.2, 0.3, 0.4],
        "peak_bytes": 10**9,
        "parameters": 7,
    }
    summary = benchmark.summary([run, {**run, "peak_bytes": 2 * 10**9}], 1e12)
    assert summary["seconds_per_epoch"] == 3
    assert (summary["fastest_epoch"], summary["slowest_epoch"]) == (2, 4)
    assert summary["images_per_second"] == round(50_000 / 3)
    assert summary["peak_bytes"] == 2 * 10**9


def test_arithmetic_is_that_of_the_network(benchmark):
    """Each weight of a layer is used once for each place of its output."""
    network = run_cells("02-model.ipynb", "network")["build_model"]()
    forward = 0
    for layer in network.layers:
        if layer.weights:
            places = math.prod(layer.output.shape[1:-1])
            forward += 2 * places * math.prod(layer.kernel.shape)
    assert benchmark.operations_per_epoch() == forward * (3 * 40_000 + 10_000)


def test_matrix_product_is_measured(benchmark):
    assert 1e8 < benchmark.matrix_product_speed() < 1e15
