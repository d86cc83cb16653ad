"""How fast is a network in the page, next to Keras on the same machine?

Opens the rendered site in Chromium and writes runs/learning.json, whose values the
pages `watch` and `teach` show when the site is rendered again, and runs/play.json, for
the page `play`. Run it on a quiet machine:
.venv/bin/python -m tools.pages.measure_learning [learning] [play]
"""

import datetime
import json
import shutil
import statistics
import sys
import threading
import time

import numpy as np

from helpers import quiet_start
from helpers.runs import RUNS
from tools.common.files import write_whole
from tools.common.paths import ROOT
from tools.common.provenance import provenance
from tools.pages.render import Server

TURNS = 7  # browser and Keras take turns, so that both meet the same disturbances
STEPS = 50  # in a turn
SEEDS = [1, 2, 3, 4]  # of the drawn examples
DRAWINGS = 20  # new ones of each class
PASSES = 20  # in a turn, of one picture through the lecture's network

# The milliseconds of the fastest of some passes, the picture as the page shows it.
FORWARD = """async (passes) => {
  const { forward } = await import("../pages/play/network.js");
  const times = Array.from({ length: passes }, () => {
    const start = performance.now();
    forward(play.network, play.pixels);
    return performance.now() - start;
  });
  return Math.min(...times);
}"""

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


def in_turns(here, there):
    """Return what both measure, turn by turn; the first of each is preparation."""
    both = [(here(), there()) for _ in range(TURNS + 1)]
    return zip(*both[1:], strict=True)


def keras_pass():
    """Return a function that gives the milliseconds of Keras' fastest pass."""
    with quiet_start():
        from helpers import load_data, load_run, load_weights
        from helpers.recipes import build_model

    data = load_data(download=False)
    model = build_model(data)
    load_weights(model, load_run("baseline"))
    image = data.test[0][:1].astype("float32")

    def turn():
        times = []
        for _ in range(PASSES):
            start = time.perf_counter()
            model.predict_on_batch(image)
            times.append(1000 * (time.perf_counter() - start))
        return min(times)

    return turn


def measure_play(page, address):
    """Return how long a picture takes through the lecture's network, here and there.

    The fastest pass is what the machine can do; all others were disturbed.
    """
    page.goto(f"{address}pages/play.html")
    page.locator(".answers tbody tr").nth(4).wait_for()
    turn = keras_pass()
    here, keras = map(min, in_turns(lambda: page.evaluate(FORWARD, PASSES), turn))
    return {
        "passes": TURNS * PASSES,
        "browser_ms": round(here, 1),
        "keras_ms": round(keras, 1),
        "ratio": round(here / keras, 1),
    }


def measure_learning(page, address):
    """Return how fast both pages learn, and how their runs end."""
    page.goto(f"{address}pages/watch.html")
    turn = keras_turns(page.evaluate(TASK))
    here, keras = in_turns(lambda: page.evaluate(TRAIN, STEPS), turn)
    runs = dict(page.evaluate(WHOLE_RUN, changed) for changed in RUNS_SHOWN)
    page.goto(f"{address}pages/teach.html")
    seconds = teach(page)
    asked = {"seeds": SEEDS, "drawings": DRAWINGS}
    accuracy = {
        kind: page.evaluate(ACCURACY, {"kind": kind, **asked})
        for kind in ("good", "flawed")
    }
    ratios = [k / b for k, b in zip(keras, here, strict=True)]
    return {
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


MEASURED = {"learning": measure_learning, "play": measure_play}


def main(names):
    from playwright.sync_api import sync_playwright

    if not (ROOT / "_site" / "pages" / "teach.html").exists():
        raise SystemExit("Not measured: the site is not rendered, run `make site`.")
    unknown = [name for name in names if name not in MEASURED]
    if unknown:
        known = " and ".join(MEASURED)
        raise SystemExit(f"Not measured: {unknown[0]} is unknown, known are {known}.")
    source = provenance()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    options = {"executable_path": program, "args": ["--no-sandbox"]}
    with Server(ROOT / "_site") as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(**options)
        page = browser.new_page()
        page.set_default_timeout(600_000)
        for name in names or MEASURED:
            found = MEASURED[name](page, server.address)
            results = {"finished": datetime.date.today().isoformat(), **source}
            results |= {"browser": f"Chromium {browser.version}", **found}
            text = json.dumps(results, indent=2) + "\n"
            write_whole(RUNS / f"{name}.json", text)
            print(text)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
