"""How fast does a network learn in the page, next to Keras on the same machine?

Opens the rendered site in Chromium and writes runs/learning.json, whose values the
pages `watch` and `teach` show when the site is rendered again. Run it on a quiet
machine: .venv/bin/python -m tools.pages.measure_learning
"""

import datetime
import json
import shutil
import statistics
import threading
import time

import numpy as np

from helpers import quiet_start
from helpers.runs import RUNS
from tools.common.files import write_whole
from tools.common.paths import ROOT
from tools.common.provenance import provenance
from tools.pages.render import Server

FILE = RUNS / "learning.json"
TURNS = 7  # browser and Keras take turns, so that both meet the same disturbances
STEPS = 50  # in a turn
SEEDS = [1, 2, 3, 4]  # of the drawn examples
DRAWINGS = 20  # new ones of each class

# One turn of training with the page's own settings; returns steps per second.
TRAIN = """async (steps) => {
  const { begin, settings, step } = await import("../pages/play/training.js");
  globalThis.measured ??= begin(settings());
  const start = performance.now();
  for (let i = 0; i < steps; i++) step(measured);
  return steps / ((performance.now() - start) / 1000);
}"""
# What the tasks of the page `watch` ask for: settings that differ from the first ones.
RUNS_SHOWN = [
    {},
    *({"rate": rate} for rate in (0.001, 0.1, 0.3)),
    *({"images": images} for images in (20, 50, 500)),
    {"dropout": 0.5},
    *({"filters": filters} for filters in (2, 4, 16, 32)),
    *({"seed": seed} for seed in (2, 3)),
]
WHOLE_RUN = """async (changed) => {
  const { EVERY, STEPS, begin, describe, evaluate, sample, settings, step } =
    await import("../pages/play/training.js");
  const run = begin(settings(changed));
  let whole = null, training;
  while (run.step < STEPS) {
    step(run);
    if (run.step % EVERY > 0) continue;
    training = evaluate(run.network, sample(run.training));
    if (training.accuracy === 1) whole ??= run.step;
  }
  const { accuracy, loss } = evaluate(run.network, run.validation);
  return [describe(run.settings), {
    training: training.accuracy, validation: accuracy, loss, all_right_at: whole }];
}"""
# The page's settings and images, for the same network in Keras.
TASK = """async () => {
  const { begin, settings, MOMENTUM } = await import("../pages/play/training.js");
  const run = begin(settings());
  const pictures = run.training.pictures.map((pixels) => Array.from(pixels));
  return { settings: run.settings, momentum: MOMENTUM, input: run.network.input,
           pictures, labels: run.training.labels };
}"""
# Which share of new drawings both networks get right, for some seeds of the examples.
ACCURACY = """async ({ kind, seeds, drawings }) => {
  const folder = new URL("../pages/play/network/", location.href);
  const { load, loadWeights } = await import("../pages/play/network.js");
  const { forward } = await import("../pages/play/backward.js");
  const teaching = await import("../pages/play/teaching.js");
  const { flawedExamples, goodExamples, newExamples } =
    await import("../pages/play/examples.js");
  const { seeded } = await import("../pages/play/random.js");
  const network = await load(folder);
  await loadWeights(network, folder);
  const extractor = teaching.featureExtractor(network);
  const features = (pixels) => teaching.featuresOf(extractor, pixels);
  const taught = kind === "good" ? goodExamples : flawedExamples;
  const right = { transfer: 0, scratch: 0 };
  let count = 0;
  for (const seed of seeds) {
    const classes = taught(seed).map(({ pictures }) => pictures);
    const students = {
      transfer: teaching.beginTransfer(classes.map((list) => list.map(features))),
      scratch: teaching.beginScratch(classes, network.input),
    };
    const drawn = newExamples(kind, drawings, seeded(1000 + seed));
    count += drawn.length * drawings;
    for (const student of Object.values(students)) {
      const epochs = teaching.EPOCHS[student.kind];
      while (student.epoch < epochs) teaching.trainEpoch(student);
      drawn.forEach(({ pictures }, label) => pictures.forEach((pixels) => {
        const input = student.kind === "transfer" ? features(pixels) : pixels;
        const output = forward(student.network, input).at(-1).data;
        right[student.kind] += output.indexOf(Math.max(...output)) === label;
      }));
    }
  }
  return { count, transfer: right.transfer / count, scratch: right.scratch / count };
}"""


def keras_turns(task):
    """Return a function that trains for one turn and returns steps per second."""
    with quiet_start():
        import keras
        from keras import layers

    settings = task["settings"]
    model = keras.Sequential(
        [
            keras.Input(task["input"]),
            layers.Rescaling(1 / 255),
            layers.Conv2D(settings["filters"], 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(
                2 * settings["filters"], 3, padding="same", activation="relu"
            ),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(settings["dropout"]),
            layers.Dense(max(task["labels"]) + 1, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(settings["rate"], momentum=task["momentum"])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    count = STEPS * settings["batch"]
    chosen = np.arange(count) % len(task["pictures"])
    images = np.array(task["pictures"], "float32").reshape(-1, *task["input"])[chosen]
    labels = np.array(task["labels"])[chosen]

    def turn():
        start = time.perf_counter()
        model.fit(images, labels, batch_size=settings["batch"], verbose=0)
        return STEPS / (time.perf_counter() - start)

    return turn


def teach(page):
    """Teach the drawn examples as a reader does; return the seconds of each network."""
    page.get_by_role("button", name="Take drawn examples").click()
    done = "document.querySelector('.said').textContent.startsWith('Taught')"
    page.wait_for_function(done, timeout=300_000)
    return page.evaluate("""() => Object.fromEntries(
      Object.entries(teach.students).map(([kind, { seconds }]) => [kind, seconds]))""")


def shown(run):
    """Return a run's values as the page `watch` tells them."""
    return {name: value and round(value, 2) for name, value in run.items()}


def measure(address):
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    options = {"executable_path": program, "args": ["--no-sandbox"]}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(f"{address}pages/watch.html")
        turn = keras_turns(page.evaluate(TASK))
        page.evaluate(TRAIN, STEPS)  # the first turn of each is preparation
        turn()
        here, keras = [], []
        for _ in range(TURNS):
            here.append(page.evaluate(TRAIN, STEPS))
            keras.append(turn())
        runs = dict(page.evaluate(WHOLE_RUN, changed) for changed in RUNS_SHOWN)
        page.goto(f"{address}pages/teach.html")
        seconds = teach(page)
        asked = {"seeds": SEEDS, "drawings": DRAWINGS}
        accuracy = {
            kind: page.evaluate(ACCURACY, {"kind": kind, **asked})
            for kind in ("good", "flawed")
        }
        name = f"Chromium {browser.version}"
    ratios = [k / b for k, b in zip(keras, here, strict=True)]
    return {
        "browser": name,
        "steps_per_second": round(statistics.median(here)),
        "keras_steps_per_second": round(statistics.median(keras)),
        "ratio": round(statistics.median(ratios), 1),
        "runs": {name: shown(run) for name, run in runs.items()},
        "teaching": {
            "seconds": {kind: round(value, 1) for kind, value in seconds.items()},
            "good": {k: round(v, 3) for k, v in accuracy["good"].items()},
            "flawed": {k: round(v, 3) for k, v in accuracy["flawed"].items()},
        },
    }


def main():
    if not (ROOT / "_site" / "pages" / "teach.html").exists():
        raise SystemExit("Not measured: the site is not rendered, run `make site`.")
    source = provenance()
    with Server(ROOT / "_site") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = measure(server.address)
        server.shutdown()
    results = {"finished": datetime.date.today().isoformat(), **source, **found}
    write_whole(FILE, json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
