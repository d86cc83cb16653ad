"""Does a training repeat itself, and what do deterministic operations cost?

Two epochs of `make train`, in turn as it is and with TensorFlow's deterministic
operations. Histories are compared to their last printed digit, weights bit by bit, and
repeat.json is replaced when all is done.
"""

import csv
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.runs import origin

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "benchmarks" / "repeat.json"
WAYS = {"as it is": [], "deterministic": ["--deterministic"]}
EPOCHS, TURNS = 2, 4


def train(run, options):
    """Return what `make train` records in two epochs."""
    command = ["tools/train.py", run, "--epochs", EPOCHS, *options]
    done = subprocess.run([sys.executable, *map(str, command)], cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit("Not measured: the training failed.")
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    with open(run / "history.csv", newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    return {
        "epoch_seconds": [float(row.pop("seconds")) for row in history],
        "history": history,
        "weights_sha256": record["files_sha256"]["model.weights.h5"],
    }


def summary(runs):
    """Return whether the runs are the same, and the fastest of their epochs."""
    histories, weights = zip(
        *((run["history"], run["weights_sha256"]) for run in runs), strict=True
    )
    return {
        "same_history": all(history == histories[0] for history in histories),
        "same_weights": len(set(weights)) == 1,
        "fastest_epoch": min(s for run in runs for s in run["epoch_seconds"]),
        "runs": runs,
    }


def main():
    source = origin()  # before anything is measured
    runs = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(TURNS):
            for way, options in WAYS.items():
                runs[way].append(train(Path(folder) / f"{way} {turn}", options))
    ways = {way: summary(its_runs) for way, its_runs in runs.items()}
    plain, deterministic = (ways[way]["fastest_epoch"] for way in WAYS)
    results = {
        "epochs": EPOCHS,
        "finished": datetime.date.today().isoformat(),
        **source,
        "deterministic_over_plain": round(deterministic / plain, 2),
        "ways": ways,
    }
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    os.replace(new, FILE)
    for way, result in ways.items():
        same = "the same" if result["same_weights"] else "not the same"
        print(f"{way}: {same} weights, fastest epoch {result['fastest_epoch']} s")
    print(f"Recorded in {FILE.relative_to(ROOT)}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; the last results stay.") from None
    except OSError as error:
        raise SystemExit(f"Not recorded: {error}; the last results stay.") from None
