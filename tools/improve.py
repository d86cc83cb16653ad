"""Train what notebook 5 compares, by its own cells, and record it.

A step is what the cells tagged "step" make up to the end of a section; a variant is a
cell tagged "variant" after the steps above it. Each is trained from several seeds,
in turn, each in a process of its own. What has been trained is set aside in
RUN.partial, from where an interrupted recording goes on; RUN itself changes only when
all is done, and stays if it is of the same cells already.
"""

import datetime
import hashlib
import json
import multiprocessing
import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

os.environ["CIFAR100_STAND_IN"] = "never"

import nbformat
import pandas as pd

from helpers.data import FILES, DataError, load_cifar100
from helpers.notebooks import NOTEBOOKS, quiet_start
from helpers.runs import RUNS, origin

NOTEBOOK = "05-improving.ipynb"
SEEDS = range(425, 428)
SEEDS_OF_THE_CHOICE = range(425, 430)


def sections(notebook=NOTEBOOKS / NOTEBOOK):
    """Return (tag, heading, source) of each tagged cell, from top to bottom."""
    found, heading = [], ""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown":
            headings = [x for x in cell.source.splitlines() if x.startswith("##")]
            heading = headings[-1].strip("# ") if headings else heading
        for tag in {"setup", "step", "variant", "train", "large"}.intersection(
            cell.metadata.get("tags", [])
        ):
            found.append((tag, heading, cell.source))
    return found


def recipes(found):
    """Return the program of each step and variant, by the name of its section."""
    setup = [source for tag, _, source in found if tag == "setup"]
    train = [source for tag, _, source in found if tag == "train"]
    steps, programs = [], {}
    for tag, heading, source in found:
        if tag == "step":
            steps.append(source)
            programs[heading] = setup + steps + train
        elif tag == "variant":
            programs[heading] = [*setup, *steps, source, *train]
    return {name: "\n\n".join(program) + "\n" for name, program in programs.items()}


def large_recipes(found):
    """Return the program of each training of the large network, by its section."""
    cells = program_of(found, "setup", "large")
    programs = {}
    for function in ("train_large", "refit_large"):
        section = next(h for _, h, source in found if f"def {function}(" in source)
        call = f"model, history = {function}(SEED, callbacks)"
        programs[section] = f"{cells}\n{call}\n"
    return programs


def program_of(found, *tags):
    """Return the cells that carry one of the tags, as one program."""
    return "\n\n".join(source for tag, _, source in found if tag in tags) + "\n"


def train(recipe, seed, judged):
    """Run a program, and return what came out; the test images only if it is judged."""
    with quiet_start():
        import keras
    keras.config.disable_interactive_logging()

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seconds = []

        def on_train_begin(self, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(round(time.perf_counter() - self.start, 2))
            self.start = time.perf_counter()

    clock = Clock()
    names = {"SEED": seed, "callbacks": [clock]}
    exec(compile(recipe, "recipe.py", "exec"), names)
    model, history = names["model"], names["history"].history
    result = {
        "seed": seed,
        "recipe": recipe,
        "parameters": model.count_params(),
        "dtype_policy": model.dtype_policy.name,
        "images": len(names["x_train"]),
        "steps": int(model.optimizer.iterations),
        "history": {
            "epoch": list(range(1, len(clock.seconds) + 1)),
            **{name: [round(v, 5) for v in values] for name, values in history.items()},
            "seconds": clock.seconds,
        },
    }
    if judged:
        x_test, y_test = load_cifar100().test
        scores = model.predict(x_test, batch_size=500, verbose=0)
        mirrored = model.predict(x_test[:, :, ::-1], batch_size=500, verbose=0)
        result["test"] = {
            "accuracy": float((scores.argmax(1) == y_test[:, 0]).mean()),
            "with_mirrored": float(
                ((scores + mirrored).argmax(1) == y_test[:, 0]).mean()
            ),
        }
    return result


def in_its_own_process(function, *arguments):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(function, *arguments).result()


def record(run, plan, program):
    """Train the plan, a list of (name, recipe, seed, judged), and record it in RUN."""
    note = run / "recipe.py"
    if note.exists() and note.read_text(encoding="utf-8") == program:
        print(f"{run} is of these cells already; delete it to record it anew.")
        return
    partial = run.with_name(run.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    started = origin()
    commit = started.pop("commit")
    note = partial / "origin.json"
    if note.exists() and json.loads(note.read_text()) != started:
        raise SystemExit(
            f"{partial} holds an unfinished recording of another machine or other"
            " versions, expected these: delete that folder to start again."
        )
    write(note, json.dumps(started))
    results = []
    for number, (name, recipe, seed, judged) in enumerate(plan, start=1):
        kept = partial / f"{name}, seed {seed}.json"
        if not kept.exists():
            result = in_its_own_process(train, recipe, seed, judged)
            write(kept, json.dumps({"step": name, "commit": commit, **result}))
        result = json.loads(kept.read_text())
        if result["recipe"] != recipe:
            raise SystemExit(
                f"{partial} holds an unfinished recording of other notebook cells:"
                " delete that folder to start again, or restore the cells."
            )
        results.append(result)
        print(
            f"{number} of {len(plan)}: {name}, seed {seed},"
            f" {sum(result['history']['seconds']):.0f} s",
            flush=True,
        )
    finished = partial / "finished"
    shutil.rmtree(finished, ignore_errors=True)
    finished.mkdir()
    order = list(dict.fromkeys(name for name, *_ in plan))
    results.sort(key=lambda result: (order.index(result["step"]), result["seed"]))
    history = pd.concat(
        pd.DataFrame({"step": r["step"], "seed": r["seed"], **r["history"]})
        for r in results
    )
    history.to_csv(finished / "history.csv", index=False, lineterminator="\n")
    write(finished / "recipe.py", program)
    described = {
        "recipe": {
            "images": results[0]["images"],
            "steps": results[0]["steps"],
            "dtype_policy": results[0]["dtype_policy"],
            "parameters": {r["step"]: r["parameters"] for r in results},
        },
        "test": [
            {"step": r["step"], "seed": r["seed"], **r["test"]}
            for r in results
            if "test" in r
        ],
        "finished": datetime.date.today().isoformat(),
        "commits": sorted({r["commit"] for r in results}),
        **started,
        "data_sha256": {name: sha256 for name, (_, sha256) in FILES.items()},
        "files_sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(finished.iterdir())
        },
    }
    write(finished / "run.json", json.dumps(described, indent=2) + "\n")
    if run.exists():
        shutil.rmtree(run)
    finished.rename(run)
    shutil.rmtree(partial)
    print(f"Recorded in {run}.")


def write(path, text):
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def main():
    load_cifar100()  # an error is one sentence here, a traceback in another process
    found = sections()
    programs = large_recipes(found)
    plan = [(name, program, SEEDS[0], True) for name, program in programs.items()]
    record(RUNS / "large", plan, program_of(found, "setup", "large"))
    programs = recipes(found)
    choice = [heading for tag, heading, _ in found if tag == "step"][-1]
    plan = [
        (name, program, seed, name == choice)
        for seed in SEEDS_OF_THE_CHOICE
        for name, program in programs.items()
        if seed in SEEDS or name == choice
    ]
    tags = "setup", "step", "variant", "train"
    record(RUNS / "improving", plan, program_of(found, *tags))


if __name__ == "__main__":
    try:
        main()
    except (DataError, OSError) as error:
        raise SystemExit(f"Not recorded: {error}") from None
    except BrokenProcessPool:
        raise SystemExit(
            "Stopped: a training was killed, most often for want of memory; the same"
            " command goes on with it."
        ) from None
    except KeyboardInterrupt:
        raise SystemExit(
            "Stopped; the same command starts again with the training it was in."
        ) from None
