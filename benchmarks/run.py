"""Measure how long training takes and where it leads, and how long the rest takes.

Every training runs in a process of its own; the contenders take turns, so that what
slows the machine down for a while slows all of them down. The results are replaced when
all have been trained, and once more with the seconds of the rest. The notebooks read
results.json, which the full mode writes; the quick mode writes quick.json.
"""

import argparse
import datetime
import itertools
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
FILE = {"quick": "quick.json", "full": "results.json"}
TRAINED, VALIDATED = 40_000, 10_000
SEED = 425
# Notebook 5 holds the epochs of its networks; of the large one, `make improve` has
# recorded the first seed.
LONG = [("original", 30, SEED), ("large", None, SEED + 1)]
MODES = {
    "quick": {"rounds": 2, "epochs": 3, "long": [], "seeds": 1},
    "full": {"rounds": 2, "epochs": 3, "long": LONG, "seeds": 5},
}
GOAL = 0.445  # the original lecture's test accuracy


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


def plan(rounds, epochs, long, seeds):
    """Return the trainings in their order: (what for, contender, epochs, seed).

    Contenders that are compared by their speed alone take turns, a few epochs each. A
    training to the end follows each turn, and the short ones of notebook 5 are spread
    among all, so that they meet the machine in the same moods.
    """
    names = ["original", "bundle"]
    if torch_version():
        names.append("pytorch")
    else:
        print("PyTorch is not installed, so it is left out.", flush=True)
    trainings = []
    for turn in range(rounds):
        trainings += [("speed", name, epochs, SEED) for name in names]
        trainings += [("goal", *training) for training in long[turn : turn + 1]]
    step = len(trainings) // seeds
    for number in range(seeds):
        short = ("goal", "improved", None, SEED + number)
        trainings.insert((number + 1) * step + number, short)
    return trainings


def measure_training(trainings):
    """Return the speed of the matrix product, and the summaries of the contenders."""
    runs, speeds = {"speed": {}, "goal": {}}, [matrix_product_speed()]
    for purpose, name, epochs, seed in trainings:
        command = ["benchmarks/contender.py", name, "--seed", seed]
        if epochs:
            command += ["--epochs", epochs]
        printed, _ = run(*command)
        latest = json.loads(printed.splitlines()[-1])
        runs[purpose].setdefault(name, []).append(latest)
        print(
            f"{name}, seed {seed}: {len(latest['epoch_seconds'])} epochs in"
            f" {sum(latest['epoch_seconds']):.0f} s, test accuracy"
            f" {latest['test_accuracies'][-1]:.4f}",
            flush=True,
        )
        speeds.append(matrix_product_speed())
    speed = statistics.median(speeds)
    return {
        "matrix_product_operations_per_second": round(speed),
        "speed": {name: speed_of(r, speed) for name, r in runs["speed"].items()},
        "goal": {
            name: way_to_goal(r, scheduled=name != "original")
            for name, r in runs["goal"].items()
        },
    }


def operations_per_epoch(multiply_adds):
    """Return the arithmetic of an epoch, from that of one image passed forwards.

    A multiply-add counts as two operations. Training an image takes three times the
    forward pass: the pass, the gradient of the weights and that of the inputs.
    """
    return 2 * multiply_adds * (3 * TRAINED + VALIDATED)


def speed_of(runs, matrix_product):
    """Summarize the seconds of a contender's epochs, and what they were used for."""
    # The first epoch of each process also builds the network's program.
    seconds = [s for run in runs for s in run["epoch_seconds"][1:]]
    typical = statistics.median(seconds)
    operations = operations_per_epoch(runs[0]["multiply_adds"])
    return {
        "seconds_per_epoch": round(typical, 2),
        "fastest_epoch": min(seconds),
        "slowest_epoch": max(seconds),
        "images_per_second": round((TRAINED + VALIDATED) / typical),
        "share_of_matrix_product": round(operations / typical / matrix_product, 3),
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "runs": runs,
    }


def way_to_goal(runs, scheduled):
    """Summarize where the trainings of a contender led, and how long they took."""
    last = [run["test_accuracies"][-1] for run in runs]
    return {
        "parameters": runs[0]["parameters"],
        "epochs": len(runs[0]["epoch_seconds"]),
        "seeds": len(runs),
        "seconds": round(statistics.mean(sum(r["epoch_seconds"]) for r in runs), 1),
        "test_accuracy": round(statistics.mean(last), 4),
        "seconds_to_goal": seconds_to_goal(runs, scheduled),
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "runs": runs,
    }


def seconds_to_goal(runs, scheduled):
    """Return the mean seconds until the goal is reached, or None if a run never does.

    A learning rate that ends at zero is part of its recipe: where there is such a
    schedule, only its end counts.
    """
    reached = []
    for run in runs:
        sums = itertools.accumulate(run["epoch_seconds"])
        ends = list(zip(sums, run["test_accuracies"], strict=True))
        ends = ends[-1:] if scheduled else ends
        reached.append(next((s for s, accuracy in ends if accuracy >= GOAL), None))
    return None if None in reached else round(statistics.mean(reached), 1)


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
    parser.add_argument("mode", choices=MODES, help="few epochs, or all of them")
    mode = parser.parse_args().mode
    source = origin()  # before anything is measured
    source["versions"]["torch"] = torch_version()
    results = {
        "mode": mode,
        "finished": datetime.date.today().isoformat(),
        **source,
        "data_sha256": {name: sha256 for name, (_, sha256) in FILES.items()},
        "accuracy_goal": GOAL,
        **measure_training(plan(**MODES[mode])),
        "seconds": {},
    }
    save(results)
    save({**results, "seconds": measure_the_rest()})
    print(f"Recorded in benchmarks/{FILE[mode]}.")


def save(results):
    path = ROOT / "benchmarks" / FILE[results["mode"]]
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    os.replace(new, path)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(
            "Interrupted; the last results stay, or the new ones lack the rest."
        ) from None
    except OSError as error:
        raise SystemExit(f"Not recorded: {error}; the last results stay.") from None
