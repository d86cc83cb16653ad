"""Measure how fast the original's network trains, and how long the rest takes.

Every training runs in a process of its own; the contenders take turns, so that what
slows the machine down for a while slows all of them down. results.json is replaced when
everything has been measured.
"""

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from helpers.data.records import FILES
from helpers.runs import origin

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
TRAINED, VALIDATED = 40_000, 10_000
MODES = {"quick": {"rounds": 2, "epochs": 3}, "full": {"rounds": 1, "epochs": 30}}


def torch_version():
    """Return the version of PyTorch, or None where it is not installed."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def run(*command):
    """Return what a command prints, and the seconds that it took."""
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "CIFAR100_STAND_IN": "never"},
        stdout=subprocess.PIPE,
        text=True,
    )
    if result.returncode != 0:
        raise SystemExit(f"Not measured: {' '.join(map(str, command))} failed.")
    return result.stdout, time.perf_counter() - start


def matrix_product_speed():
    """Return the floating-point operations a second of a large float32 product."""
    n = 3000
    a, b = np.random.default_rng(425).random((2, n, n), np.float32)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds)


def operations_per_epoch():
    """Return the arithmetic of one epoch of the original's network.

    A multiply-add counts as two operations. Training an image takes three times the
    forward pass: the pass, the gradient of the weights and that of the inputs.
    """
    stages = [(32, 3, 32), (16, 32, 64), (8, 64, 128), (4, 128, 256)]
    forward = sum(size**2 * 9 * before * after for size, before, after in stages)
    forward += 1024 * 512 + 512 * 100
    return 2 * forward * (3 * TRAINED + VALIDATED)


def measure_training(rounds, epochs):
    names = ["original", "bundle"]
    if torch_version():
        names.append("pytorch")
    else:
        print("PyTorch is not installed, so it is left out.", flush=True)
    runs = {name: [] for name in names}
    speeds = [matrix_product_speed()]
    for number in range(rounds):
        for name in names:
            printed, _ = run("benchmarks/contender.py", name, "--epochs", epochs)
            runs[name].append(json.loads(printed.splitlines()[-1]))
            latest = statistics.median(runs[name][-1]["epoch_seconds"])
            print(f"round {number + 1}, {name}: {latest:.1f} s per epoch", flush=True)
        speeds.append(matrix_product_speed())
    speed = statistics.median(speeds)
    return speed, {name: summary(runs[name], speed) for name in names}


def summary(runs, speed):
    # The first epoch of each process also builds the network's program.
    seconds = [s for run in runs for s in run["epoch_seconds"][1:]]
    typical = statistics.median(seconds)
    return {
        "seconds_per_epoch": round(typical, 2),
        "fastest_epoch": round(min(seconds), 2),
        "slowest_epoch": round(max(seconds), 2),
        "images_per_second": round((TRAINED + VALIDATED) / typical),
        "share_of_matrix_product": round(operations_per_epoch() / typical / speed, 3),
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "parameters": runs[0]["parameters"],
        "runs": [
            {
                "epoch_seconds": [round(s, 2) for s in run["epoch_seconds"]],
                "test_accuracies": [round(a, 4) for a in run["test_accuracies"]],
            }
            for run in runs
        ],
    }


def measure_the_rest():
    """Return the seconds of what a user waits for."""
    _, nothing = run("-c", "")
    _, importing = run("-c", "import helpers")
    loading = "import time, helpers; helpers.load_cifar100(); t = time.perf_counter();"
    loading += " helpers.load_cifar100(); print(time.perf_counter() - t)"
    seconds = {
        "import helpers": importing - nothing,
        "load_cifar100()": float(run("-c", loading)[0]),
        "make site": run("tools/render.py")[1],
    }
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copy(path, folder)
            _, seconds[path.name] = run("tools/execute.py", copy)
        print(f"{path.name}: {seconds[path.name]:.0f} s", flush=True)
    return {name: round(value, 2) for name, value in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=MODES, help="few epochs, or all 30")
    mode = parser.parse_args().mode
    source = origin()  # before anything is measured
    source["versions"]["torch"] = torch_version()
    speed, training = measure_training(**MODES[mode])
    results = {
        "mode": mode,
        **MODES[mode],
        "finished": datetime.date.today().isoformat(),
        **source,
        "matrix_product_operations_per_second": round(speed),
        "operations_per_epoch": operations_per_epoch(),
        "training": training,
        "seconds": measure_the_rest(),
        "data_sha256": {name: sha256 for name, (_, sha256) in FILES.items()},
    }
    new = RESULTS.with_suffix(".new")
    new.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    os.replace(new, RESULTS)
    print(f"Recorded in {RESULTS.relative_to(ROOT)}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(
            "Interrupted; the recorded results are as they were."
        ) from None
