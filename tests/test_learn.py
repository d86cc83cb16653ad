"""Learning in the page: its gradients and steps beside Keras, and the two pages."""

import base64
import io
import json
import re

import numpy as np
import pytest
import test_browser
from conftest import ROOT
from PIL import Image
from test_browser import CHROMIUM, PLAY, findings

from helpers import quiet_start
from helpers.runs import RUNS
from helpers.stand_in import COLOURS, PATTERNS, _patterns
from tools.pages import play as play_tool

with quiet_start():
    import keras
    import tensorflow as tf
    from keras import layers

address, browser = test_browser.address, test_browser.browser  # fixtures
open_page = test_browser.open_page

# A network from its description; the kind says how many bits its numbers have.
BUILD = """
const withArrays = (layer, kind) =>
  ({ ...layer, arrays: layer.arrays.map((array) => kind.from(array)) });
const build = (described, kind) => ({
  ...described, layers: described.layers.map((layer) => withArrays(layer, kind)),
});
"""
GRADIENTS = """async ({ described, images, labels }) => {
  const { gradients } = await import("../pages/play/backward.js");
  const network = build(described, Float32Array);
  const loss = gradients(network, images.map((x) => Float32Array.from(x)), labels);
  const all = network.layers.flatMap((layer) => layer.gradients);
  return [loss, all.map((gradient) => Array.from(gradient))];
}"""
# In 64 bits, the loss is exact enough to be differentiated by moving each weight.
NUMERICAL = """async ({ described, images, labels }) => {
  const { crossEntropy, forward, gradients } =
    await import("../pages/play/backward.js");
  const network = build(described, Float64Array);
  const pictures = images.map((x) => Float64Array.from(x));
  const one = (x, i) => crossEntropy(forward(network, x).at(-1).data, labels[i]);
  const loss = () => pictures.map(one).reduce((a, b) => a + b) / pictures.length;
  gradients(network, pictures, labels);
  return network.layers.flatMap((layer) => layer.arrays.map((array, a) =>
    Array.from(array, (weight, i) => {
      array[i] = weight + 1e-6;
      const above = loss();
      array[i] = weight - 1e-6;
      const below = loss();
      array[i] = weight;
      return [layer.gradients[a][i], (above - below) / 2e-6];
    })));
}"""
STEPS = """async ({ described, batches, labels, rate, momentum }) => {
  const { gradients, update } = await import("../pages/play/backward.js");
  const network = build(described, Float32Array);
  return batches.map((images, i) => {
    const loss = gradients(network, images.map((x) => Float32Array.from(x)), labels[i]);
    update(network, rate, momentum);
    return loss;
  });
}"""


@pytest.fixture
def model():
    """A small network with every kind of layer that learns, or passes gradients on."""
    keras.utils.set_random_seed(425)
    return keras.Sequential(
        [
            keras.Input((9, 8, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(5, (2, 3), strides=2, padding="same", use_bias=False),
            layers.ReLU(),
            layers.AveragePooling2D(2, strides=1, padding="same"),
            layers.Flatten(),
            layers.Dense(7, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def described(model):
    """Return the network as the page reads it, with its weights as plain numbers."""
    about = []
    for layer in model.layers:
        one, arrays = play_tool.describe(layer)
        about.append({**one, "arrays": [array.ravel().tolist() for array in arrays]})
    return {"input": list(model.input_shape[1:]), "layers": about}


def batch(model, count, seed=1):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *model.input_shape[1:])).astype("float32")
    return images, rng.integers(0, model.output_shape[1], count)


@pytest.fixture(scope="module")
def compute(browser, address):
    """Run a script in a page that does nothing by itself, the same for all of them.

    There, `build` makes a network from its description.
    """
    page = browser.new_page()
    page.goto(f"{address}pages/glossary.html")
    page.add_script_tag(content=BUILD)
    yield page.evaluate
    page.close()


def flat(images):
    return images.reshape(len(images), -1).tolist()


def test_every_gradient_is_that_of_keras(model, compute):
    images, labels = batch(model, 12)
    task = {"described": described(model), "images": flat(images)}
    task["labels"] = labels.tolist()
    loss, found = compute(GRADIENTS, task)
    with tf.GradientTape() as tape:
        each = keras.losses.sparse_categorical_crossentropy(labels, model(images))
        wanted_loss = tf.reduce_mean(each)
    wanted = tape.gradient(wanted_loss, model.trainable_weights)
    assert loss == pytest.approx(float(wanted_loss), abs=1e-4)
    assert len(found) == len(wanted) == 7
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(other).max() > 1e-3  # there is something to compare
        np.testing.assert_allclose(one, np.ravel(other), atol=1e-4)


def test_every_gradient_is_a_difference_of_losses(model, compute):
    images, labels = batch(model, 3)
    task = {"described": described(model), "images": flat(images)}
    task["labels"] = labels.tolist()
    found = compute(NUMERICAL, task)
    assert sum(map(len, found)) == model.count_params()
    for array in found:
        computed, measured = np.transpose(array)
        np.testing.assert_allclose(computed, measured, atol=1e-4)


def test_ten_steps_have_the_losses_of_keras(model, compute):
    start = described(model)
    rate, momentum = 0.05, 0.9
    optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    batches = [batch(model, 8, seed) for seed in range(10)]
    wanted = [model.train_on_batch(images, labels) for images, labels in batches]
    task = {
        "described": start,
        "batches": [flat(images) for images, _ in batches],
        "labels": [labels.tolist() for _, labels in batches],
        "rate": rate,
        "momentum": momentum,
    }
    found = compute(STEPS, task)
    assert np.ptp(wanted) > 0.1  # it does learn something
    np.testing.assert_allclose(found, wanted, atol=1e-3)


DROPOUT = """async () => {
  const { layers } = await import("../pages/play/backward.js");
  const { seeded } = await import("../pages/play/random.js");
  const layer = { rate: 0.25 }, data = new Float32Array(20000).fill(1);
  const inference = layers.dropout.forward(layer, { data });
  const training = layers.dropout.forward(layer, { data }, seeded(1));
  const back = layers.dropout.backward(layer, { data }, data);
  return [inference, training, back].map((x) => Array.from(x));
}"""


def test_dropout_drops_its_share_and_keeps_the_mean(compute):
    inference, training, back = map(np.array, compute(DROPOUT))
    assert (inference == 1).all()
    assert np.mean(training == 0) == pytest.approx(0.25, abs=0.01)
    assert training.mean() == pytest.approx(1, abs=0.02)
    assert (back == training).all()  # the same numbers are dropped on the way back


class Constant:
    """A generator of random numbers that are all alike."""

    def __init__(self, value):
        self.value = value

    def random(self, shape, dtype):
        return np.full(shape, self.value, dtype)


DRAWN = """async (value) => {
  const { CLASSES, drawPattern } = await import("../pages/play/patterns.js");
  return CLASSES.map((c) => [c, Array.from(drawPattern(c, 32, () => value))]);
}"""


@pytest.mark.parametrize("value", [0.1, 0.42, 0.8])
def test_drawn_images_are_those_of_the_stand_in(value, compute):
    for about, pixels in compute(DRAWN, value):
        group = 5 * PATTERNS.index(about["pattern"]) + about["frequency"] - 1
        label = 5 * group + COLOURS.index(about["colour"])
        wanted = _patterns(np.array([label]), Constant(value)).ravel()
        # At an edge of the pattern, 32 and 64 bits can differ on the side.
        assert np.mean(np.abs(wanted - pixels) > 0.01) < 0.01, about


WATCH, TEACH = "pages/watch.html", "pages/teach.html"


def there(*pages):
    """Return those of some pages that were not left out."""
    return [page for page in pages if (ROOT / page).with_suffix(".qmd").exists()]


watched = pytest.mark.skipif(not there(WATCH), reason="the page was left out")
taught = pytest.mark.skipif(not there(TEACH), reason="the page was left out")
PAUSED = "([name, said]) => document.querySelector(name)?.textContent.startsWith(said)"


READY = "() => globalThis.watch?.report || globalThis.teach?.pad"


HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def ready(page):
    """Wait until the page has come alive."""
    page.wait_for_function(READY, timeout=60_000)
    return page


def wait_for(page, said, place="main .said", timeout=120_000):
    """Wait until the page says a sentence that begins so; return it."""
    page.wait_for_function(PAUSED, arg=[place, said], timeout=timeout)
    return page.locator(place).first.inner_text()


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def setting(page, name, value):
    page.locator(f"[data-setting={name}]").select_option(str(value))


def points(page):
    return page.evaluate("watch.runs.at(-1).points")


def train(page, step=40):
    """Train until a step has been measured; return the points until then."""
    press(page, "Start")
    reached = "(step) => watch.runs.at(-1).points.some((point) => point.step >= step)"
    page.wait_for_function(reached, arg=step, timeout=120_000)
    press(page, "Pause")
    wait_for(page, "Paused")
    return [point for point in points(page) if point["step"] <= step]


@watched
def test_a_network_learns_and_the_same_seed_gives_the_same_losses(open_page):
    page = ready(open_page(WATCH))
    first = train(page)
    assert [point["step"] for point in first] == [0, 20, 40]
    assert first[0]["training"][0] == pytest.approx(np.log(10), abs=0.5)
    assert first[-1]["training"][0] < first[0]["training"][0]
    press(page, "Start again")
    assert train(page) == first
    setting(page, "seed", 2)
    assert train(page) != first
    rows = page.locator(".runs tbody tr").all_inner_texts()
    assert [row.split(":")[0] for row in rows] == ["3", "2", "1"]
    assert "seed 2" in rows[0] and "as it opens" in rows[1]
    press(page, "First settings")
    assert page.locator("[data-setting=seed]").input_value() == "1"
    wait_for(page, "Run 4: as it opens.")
    assert page.wrong == []


@watched
def test_a_setting_changed_in_mid_run_begins_another_that_is_not_mixed_up(open_page):
    page = ready(open_page(WATCH))
    setting(page, "seed", 2)
    alone = train(page, 20)
    setting(page, "seed", 1)
    press(page, "Start")
    page.wait_for_function("watch.report.step > 25")
    setting(page, "seed", 2)
    page.wait_for_function("watch.runs.at(-1).points.length > 1", timeout=120_000)
    press(page, "Pause")
    wait_for(page, "Paused")
    assert points(page)[:2] == alone and page.wrong == []


@watched
def test_a_run_keeps_its_speed_and_when_all_was_right(open_page):
    page = ready(open_page(WATCH))
    setting(page, "images", 20)
    press(page, "Start")
    all_right = "watch.runs.at(-1).points.find(({ training }) => training[1] === 1)"
    step = page.wait_for_function(f"{all_right}?.step", timeout=120_000).json_value()
    press(page, "Pause")
    said = wait_for(page, "Paused")
    progress = page.locator("#watch .pace").inner_text()
    paused = re.search(r"at step (\d+):", said)[1]
    told, speed = re.match(r"Step (\d+) of 400, (\d+) steps", progress).groups()
    assert paused == told, "the sentence and the progress name the same step"
    cells = page.locator(".runs tbody tr td").all_inner_texts()
    assert cells[0] == told and cells[3:] == [f"step {step}", speed]
    setting(page, "images", 50)
    page.wait_for_function("watch.runs.length === 2 && watch.report.step === 0")
    page.wait_for_function("document.querySelectorAll('.runs tbody tr').length === 2")
    assert page.locator("#watch .pace").inner_text() == "Step 0 of 400"
    assert (
        page.locator(".runs tbody tr td").all_inner_texts()[3:5] == ["\N{EN DASH}"] * 2
    )
    assert page.wrong == []


@watched
def test_each_step_changes_filters_maps_and_mistakes(open_page):
    page = ready(open_page(WATCH))
    image = "document.querySelectorAll('.watch .still canvas')[%d].toDataURL()"
    before = page.evaluate(image % 0)
    press(page, "One step")
    page.wait_for_function(f"(old) => {image % 0} !== old", arg=before)
    assert page.locator(".pace").first.inner_text().startswith("Step 1 of 400")
    setting(page, "filters", 4)
    page.wait_for_function("watch.report.maps[0].shape[2] === 4")
    assert page.locator(".watch canvas[aria-label^='filter ']").count() == 4
    assert page.locator(".watch canvas[aria-label$='convolution 2']").count() == 8
    label = page.locator(".maps-of-one p").inner_text()
    press(page, "Next image")
    other = "(old) => document.querySelector('.maps-of-one p').textContent !== old"
    page.wait_for_function(other, arg=label)
    assert page.locator(".watch figcaption", has_text="taken for").count() > 0
    assert page.wrong == []


@watched
def test_a_rate_that_is_too_large_is_no_error(open_page):
    page = ready(open_page(WATCH))
    page.evaluate("""() => {
      const select = document.querySelector("[data-setting=rate]");
      select.append(new Option("1e30", "1e30"));
    }""")
    setting(page, "rate", "1e30")
    press(page, "Start")
    said = wait_for(page, "The loss is no longer a number")
    assert "smaller learning rate" in said
    setting(page, "rate", "0.01")
    assert train(page, 20)[-1]["training"][0] < 3


@watched
def test_a_hidden_tab_rests_and_goes_on(open_page):
    page = ready(open_page(WATCH))
    press(page, "Start")
    page.evaluate(HIDE, True)
    wait_for(page, "Paused")
    at = page.evaluate("watch.report.step")
    page.evaluate(HIDE, False)
    assert "goes on" in wait_for(page, "Training rested")
    page.wait_for_function("(at) => watch.report.step > at", arg=at)


@watched
def test_a_worker_that_fails_is_one_sentence_and_starts_again(open_page):
    page = open_page("index.html")
    bodies = ["throw new Error('no memory')"]
    kinds = {"content_type": "text/javascript"}

    def answer(route):
        route.fulfill(body=bodies.pop(), **kinds) if bodies else route.continue_()

    page.route("**/watch-worker.js", answer)
    page.goto(page.url.replace("index.html", WATCH))
    assert "Start again" in wait_for(page, "Training stopped")
    press(page, "Start again")
    assert len(train(page, 20)) == 2


def rows_of_the_page():
    """Return the runs that the page's tables tell, by their settings."""
    text = (ROOT / "pages" / "watch.qmd").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (.+?) \| (\d+)% \| (\d+)% \| ([\d.]+) \|$", text, re.M)
    return [(name, int(a) / 100, int(b) / 100, float(c)) for name, a, b, c in cells]


@watched
def test_what_the_page_says_of_the_tasks_was_measured():
    measured = json.loads((RUNS / "learning.json").read_text(encoding="utf-8"))["runs"]
    rows = rows_of_the_page()
    assert {name for name, *_ in rows} == set(measured)
    for name, training, validation, loss in rows:
        run = measured[name]
        assert (training, validation) == (run["training"], run["validation"]), name
        assert loss == run["loss"], name
    text = (ROOT / "pages" / "watch.qmd").read_text(encoding="utf-8")
    for name in ("as it opens", "dropout 0.5"):
        assert f"step {measured[name]['all_right_at']}" in text


@watched
def test_the_run_as_it_opens_is_still_the_one_that_was_measured(open_page):
    page = ready(open_page(WATCH))
    press(page, "Start")
    wait_for(page, "Done", timeout=300_000)
    measured = json.loads((RUNS / "learning.json").read_text(encoding="utf-8"))["runs"]
    last = points(page)[-1]
    assert last["validation"][1] == measured["as it opens"]["validation"]
    assert last["validation"][0] == pytest.approx(
        measured["as it opens"]["loss"], abs=0.01
    )


# Teaching.


def predicted(page):
    """Return the rows of the predictions: name, and both percentages."""
    rows = page.locator(".answers tbody tr").all_inner_texts()
    return [re.findall(r"\d+(?=%)|^\S.*?(?=\t|\n)", row) for row in rows]


@taught
def test_drawn_examples_are_taught_at_one_click(open_page):
    page = ready(open_page(TEACH))
    press(page, "Take drawn examples")
    said = wait_for(page, "Taught", timeout=300_000)
    assert said.count("of 6 held-out pictures right") == 2
    assert page.locator(".thumbs button").count() == 30
    page.get_by_role("textbox", name="Name of the class").first.fill("oak")
    assert predicted(page)[0][0] == "oak", "the new name stands at once"
    page.get_by_role("textbox", name="Name of the class").first.fill("tree")
    assert page.locator(".thumbs .held-out").count() == 6
    page.wait_for_function(
        "document.querySelector('.result').textContent.includes('60 new')"
    )
    right = page.locator(".result").inner_text()
    transfer = int(re.search(r"network gets (\d+) right", right)[1])
    assert transfer > 30, "half as good again as guessing"
    assert len(predicted(page)) == 3
    assert page.evaluate("teach.students.transfer.points.at(-1).loss") < 0.5
    assert page.wrong == []


@taught
def test_three_pictures_of_one_background_teach_the_background(open_page):
    page = ready(open_page(TEACH))
    press(page, "Take examples with a flaw")
    wait_for(page, "Taught", timeout=300_000)
    assert "nearly the same background" in page.locator(".advice").inner_text()
    page.wait_for_function(
        "document.querySelector('.result').textContent.includes('40 new')"
    )
    right = page.locator(".result").inner_text()
    transfer, scratch = re.search(r"gets (\d+) right, .* scratch (\d+)", right).groups()
    assert int(transfer) < 20 and int(scratch) < 20, "worse than guessing"


def fill(page, number, *files):
    """Choose files for a class; return what the page says."""
    chosen = [{"name": n, "mimeType": "image/png", "buffer": b} for n, b in files]
    before = page.locator("main .said").inner_text()
    page.locator(".class input[type=file]").nth(number).set_input_files(chosen)
    other = "(old) => document.querySelector('main .said').textContent !== old"
    page.wait_for_function(other, arg=before)
    return page.locator("main .said").inner_text()


def plain(*colour):
    file = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(file, "png")
    return file.getvalue()


@taught
def test_each_mishap_is_one_sentence_and_nothing_is_lost(open_page):
    page = ready(open_page(TEACH))
    advice = page.locator(".advice")
    assert '"class 1" and "class 2" have none yet' in advice.inner_text()
    said = fill(page, 0, ("a.png", plain(255, 0, 0)), ("notes.txt", b"no picture"))
    assert said.startswith("notes.txt is not a picture") and said.count(". ") == 0
    assert page.locator(".thumbs button").count() == 1, "the other file was added"
    assert '"class 2" has none yet' in advice.inner_text()
    fill(page, 1, ("b.png", plain(250, 0, 0)))
    assert advice.inner_text().startswith("All pictures look the same")
    for _ in range(4):
        press(page, "Add a class")
    assert "at most 5 classes" in page.locator("main .said").inner_text()
    assert page.locator(".class").count() == 5
    for number in (5, 4):
        page.get_by_role("button", name=f"Remove class class {number}").click()
    fill(page, 1, ("c.png", plain(0, 0, 255)))
    assert '"class 3" has no picture' in advice.inner_text()
    page.get_by_role("button", name="Remove class class 3").click()
    assert "fewer than four" in advice.inner_text()
    wait_for(page, "Taught", timeout=300_000)
    page.get_by_role("button", name="Remove picture 1 of class 1").click()
    assert page.locator(".thumbs button").count() == 2
    press(page, "Undo")
    assert page.locator(".thumbs button").count() == 3
    for name in ("class 1", "class 2"):
        button = page.get_by_role("button", name=f"Remove class {name}")
        button.click()
    assert "Two classes are the fewest" in page.locator("main .said").inner_text()
    wrong = {"name": "x.json", "mimeType": "application/json", "buffer": b"{}"}
    page.locator("input[accept*=json]").set_input_files(wrong)
    wait_for(page, "x.json holds no pictures")
    assert page.locator(".thumbs button").count() == 3
    assert page.wrong == []


@taught
def test_a_set_that_was_downloaded_can_be_opened_again(open_page):
    page = ready(open_page(TEACH))
    fill(page, 0, ("a.png", plain(255, 0, 0)))
    page.get_by_role("textbox", name="Name of the class").first.fill("red things")
    with page.expect_download() as download:
        press(page, "Download the pictures")
    other = ready(open_page(TEACH))
    other.locator("input[accept*=json]").set_input_files(download.value.path())
    wait_for(other, f"{download.value.path().name} was opened")
    names = other.get_by_role("textbox", name="Name of the class")
    assert names.first.input_value() == "red things"
    pixels = "Array.from(teach.classes[0].pictures[0].pixels)"
    assert other.evaluate(pixels) == page.evaluate(pixels) == [255, 0, 0] * 1024


@taught
def test_the_network_that_does_not_arrive_is_one_sentence(open_page):
    page = open_page("index.html")
    page.route("**/weights.bin", lambda route: route.abort())
    page.goto(page.url.replace("index.html", TEACH))
    press(page, "Take drawn examples")
    said = wait_for(page, "The network did not arrive")
    assert "weights.bin" in said
    page.unroute("**/weights.bin")
    press(page, "Take examples with a flaw")
    wait_for(page, "Taught", timeout=300_000)


@taught
def test_a_training_that_the_browser_ends_loses_nothing(open_page):
    page = open_page("index.html")
    bodies = ["throw new Error('no memory')"]
    kinds = {"content_type": "text/javascript"}

    def answer(route):
        route.fulfill(body=bodies.pop(), **kinds) if bodies else route.continue_()

    page.route("**/teach-worker.js", answer)
    page.goto(page.url.replace("index.html", TEACH))
    assert "pictures are kept" in wait_for(page, "The browser ended the training")
    press(page, "Take examples with a flaw")
    wait_for(page, "Taught", timeout=300_000)


@pytest.mark.parametrize(
    ("name", "script"),
    [
        (page, {WATCH: "watch", TEACH: "teach", PLAY: "page"}[page])
        for page in there(WATCH, TEACH, PLAY)
    ],
)
def test_a_program_that_does_not_arrive_is_one_sentence(name, script, open_page):
    page = open_page("index.html")
    page.route(f"**/play/{script}.js", lambda route: route.abort())
    page.goto(page.url.replace("index.html", name))
    place = page.locator("#watch, #teach, #play")
    place.get_by_role("status").wait_for()
    assert place.get_by_role("status").inner_text() == (
        "The program of this page did not arrive:"
        " check the connection and reload the page."
    )
    assert place.locator("img").is_visible()


# Give a page what a reader would drop there: files, or else an address.
DROP = """([place, names, content]) => {
  const dataTransfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  for (const name of names)
    dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
  if (names.length === 0)
    dataTransfer.setData("text/uri-list", "http://127.0.0.1/a.png");
  const options = { dataTransfer, bubbles: true, cancelable: true };
  const target = document.querySelector(place);
  const over = new DragEvent("dragover", options);
  target.dispatchEvent(over);
  target.dispatchEvent(new DragEvent("drop", options));
  return over.defaultPrevented;
}"""
COPY = """async (content) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const picture = new Blob([bytes], { type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
}"""


def encoded(*colour):
    return base64.b64encode(plain(*colour)).decode()


def shown(page):
    """Return the colour of the first pixel of the picture in hand."""
    return page.evaluate(
        "Array.from((globalThis.teach?.pad ?? play).pixels.slice(0, 3))"
    )


@taught
def test_a_dropped_picture_is_shown_or_added_where_it_is_dropped(open_page):
    page = ready(open_page(TEACH))

    def drop(*task):
        return page.evaluate(DROP, [*task])

    assert drop("h1", ["a.png"], encoded(255, 0, 0)), "or the browser opens the file"
    wait_for(page, "a.png, 40 ")
    assert shown(page) == [255, 0, 0]
    assert page.locator(".thumbs button").count() == 0
    drop(".class:last-child", ["b.png", "c.png"], encoded(0, 0, 255))
    wait_for(page, '2 pictures were added to "class 2".')
    assert page.locator(".class").last.locator(".thumbs button").count() == 2
    assert shown(page) == [255, 0, 0], "and the picture in hand stays"
    for place in ("h1", ".class"):
        page.evaluate("document.querySelector('#teach .said').textContent = ''")
        drop(place, [], "")
        wait_for(page, "What was dropped is not a file")
    drop("h1", ["cut.png"], encoded(0, 0, 255)[:40])
    wait_for(page, "cut.png is not a picture")
    assert page.locator(".thumbs button").count() == 2 and page.wrong == []


@pytest.mark.parametrize("name", there(TEACH, PLAY))
def test_a_picture_is_pasted_from_the_clipboard(name, open_page, address):
    page = open_page(name)
    allowed = ["clipboard-read", "clipboard-write"]
    page.context.grant_permissions(allowed, origin=address.rstrip("/"))
    page.wait_for_function("(globalThis.teach?.pad ?? globalThis.play)?.pixels")
    page.evaluate(COPY, encoded(0, 160, 0))
    page.keyboard.press("Control+v")
    wait_for(page, "image.png, 40 ")
    assert shown(page) == [0, 160, 0]
    page.evaluate("navigator.clipboard.writeText('a red cup')")
    page.keyboard.press("Control+v")
    wait_for(page, "There is no picture to paste")
    assert shown(page) == [0, 160, 0] and page.wrong == []
    if name == TEACH:
        said = page.locator("main .said")
        page.evaluate("document.querySelector('#teach .said').textContent = ''")
        field = page.get_by_role("textbox", name="Name of the class").first
        field.select_text()
        field.press("Control+v")
        assert field.input_value() == "a red cup" and said.inner_text() == ""


@taught
def test_no_camera_is_one_sentence(open_page):
    page = ready(open_page(TEACH))
    for error, sentence in (
        ("NotAllowedError", "The camera was refused"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "The camera is in use"),
        ("AbortError", "The camera does not work"),
    ):
        page.evaluate(
            """(name) => { navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException("why", name)); }""",
            error,
        )
        page.get_by_role("button", name="Use the camera").press("Enter")
        said = wait_for(page, sentence)
        assert said.endswith("use files, paste or draw instead.")
        focus = "document.activeElement.textContent"
        assert page.evaluate(focus) == "Use the camera", "the keyboard is where it was"
    page.evaluate(
        "Object.defineProperty(navigator, 'mediaDevices', { value: undefined })"
    )
    press(page, "Use the camera")
    wait_for(page, "Browsers give the camera only")
    page.locator("canvas.picture").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Add the picture to class 1").press("Enter")
    assert page.locator(".thumbs button").count() == 1, "the rest works"


FAKE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@taught
def test_filmed_pictures_are_learned_and_a_lost_camera_loses_nothing(browser, address):
    flags = ["--no-sandbox", "--disable-gpu", *FAKE]
    launch = browser.browser_type.launch
    with launch(executable_path=CHROMIUM, args=flags) as chromium:
        page = chromium.new_page()
        page.add_init_script(
            """const ask = navigator.mediaDevices.getUserMedia;
            navigator.mediaDevices.getUserMedia = async function (wanted) {
              return (globalThis.stream = await ask.call(this, wanted));
            };"""
        )
        page.goto(address + TEACH)
        ready(page)
        press(page, "Use the camera")
        wait_for(page, "The camera is on")
        page.wait_for_function("new Set(teach.pad.pixels).size > 10")
        add = "Add the picture to class %d"
        page.get_by_role("button", name=add % 1).click()
        assert "Picture 1" in page.locator("main .said").inner_text()
        press(page, "Blank")
        assert page.evaluate("stream.getTracks()[0].readyState") == "ended"
        page.get_by_role("button", name=add % 2).click()
        wait_for(page, "Taught", timeout=300_000)
        press(page, "Use the camera")
        wait_for(page, "The camera is on")
        page.get_by_role("button", name=add % 2).click()  # training is on its way
        page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
        assert "kept" in wait_for(page, "The camera was taken away")
        wait_for(page, "Taught", timeout=300_000)
        assert page.locator(".thumbs button").count() == 3
        press(page, "Use the camera")
        wait_for(page, "The camera is on")
        page.evaluate(HIDE, True)
        wait_for(page, "The camera was turned off because the tab was hidden")
        assert page.evaluate("stream.getTracks()[0].readyState") == "ended"


# Both pages.


@pytest.mark.parametrize("name", there(WATCH, TEACH))
def test_pages_that_train_are_accessible_after_training(name, open_page):
    page = ready(open_page(name, reduced_motion="reduce"))
    if name == WATCH:
        train(page, 20)
    else:
        press(page, "Take examples with a flaw")
        wait_for(page, "Taught", timeout=300_000)
    assert findings(page) == [] and page.wrong == []


@watched
def test_training_is_reached_and_ruled_by_keyboard(open_page):
    page = ready(open_page(WATCH))
    reached = []
    page.locator("#watch select").first.focus()
    for _ in range(12):
        text = "document.activeElement.closest('label, button')?.textContent ?? ''"
        reached.append(page.evaluate(text))
        page.keyboard.press("Tab")
    for name in ("Learning rate", "Seed", "Start", "One step", "Start again"):
        assert any(text.startswith(name) for text in reached), name
    page.get_by_role("button", name="Start", exact=True).press("Space")
    page.wait_for_function("watch.report.step > 2")
    page.get_by_role("button", name="Pause", exact=True).press("Enter")
    wait_for(page, "Paused")


@taught
def test_teaching_is_reached_and_ruled_by_keyboard(open_page):
    page = ready(open_page(TEACH))
    page.locator("canvas.picture").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert page.evaluate("teach.pad.pixels.includes(0)"), "black was painted"
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        text = """(() => { const at = document.activeElement;
          return at.ariaLabel ?? (at.closest("label") ?? at).textContent; })()"""
        reached.append(page.evaluate(text))
        if reached[-1] == "Add the picture to class 2":
            break
    wanted = ["Use the camera", "Open a picture", "Blank", "Name of the class"]
    wanted += ["Add the picture to class 1", "Add files to class 1"]
    wanted += ["Remove class class 1", "Name of the class"]
    assert reached[2:-1] == wanted, "after the brush and its width, in this order"
    page.keyboard.press("Enter")
    assert page.evaluate(text) == reached[-1], "the keyboard stays where it was"
    page.keyboard.press("Enter")
    assert page.locator(".class").last.locator(".thumbs button").count() == 2
    page.get_by_role("button", name="Remove picture 2 of class 2").press("Enter")
    assert page.evaluate(text) == "Remove picture 1 of class 2"
    undo = page.get_by_role("button", name="Undo")
    undo.press("Enter")
    assert page.locator(".thumbs button").count() == 2 and page.wrong == []
    assert page.evaluate(text) == "Undo"


TOLD = {
    WATCH: [
        'combobox "Learning rate"',
        'combobox "Seed"',
        'button "Start"',
        "status: ",
        'img "Loss by step. Last values: training ',
        'img "filter 0"',
        'img "Validation image 0: blue checks"',
        'figure "Mistakes on validation images"',
        'table "Your runs, the last one first"',
        'columnheader "Training at 100%"',
    ],
    TEACH: [
        'button "Take drawn examples"',
        "status: Taught",
        'application "The picture, 32 by 32 pixels. The arrow keys move the brush',
        'table "What the networks predict for this picture"',
        'rowheader "tree"',
        'button "Use the camera"',
        'button "Open a picture"',
        'region "house"',
        'button "Add the picture to house"',
        'button "Remove picture 1 of house"',
        "status: All pictures of",
        'img "Training loss by epoch. Last values: lecture',
    ],
    PLAY: [
        'application "The picture, 32 by 32 pixels. The arrow keys move the brush',
        'table "The five most probable classes"',
        'rowheader "oak tree"',
        'button "Restore the picture"',
        'status: "A drawing: tree. The network says: oak tree',
        'group "Drawings"',
        'radio "drawing: apple"',
        'button "Your own picture or photograph"',
        'group "How one number of the map is computed"',
    ],
}
NAMED = "button combobox textbox radio checkbox img application table figure region"


@pytest.mark.parametrize("name", there(WATCH, TEACH, PLAY))
def test_screen_readers_are_told_what_stands_there(name, open_page):
    """The accessibility tree of a page's program, while it shows something."""
    page = open_page(name)
    if name == PLAY:
        page.locator("#play > .said", has_text="says").wait_for()
    elif name == WATCH:
        train(ready(page), 20)
    else:
        press(ready(page), "Take examples with a flaw")
        wait_for(page, "Taught", timeout=300_000)
    tree = page.locator("#watch, #teach, #play").aria_snapshot()
    lines = [line.strip(" -").replace("'", "") for line in tree.splitlines()]
    for told in TOLD[name]:
        said = told.replace('"', "")
        assert any(line.replace('"', "").startswith(said) for line in lines), told
    kinds = "|".join(NAMED.split())
    nameless = [line for line in lines if re.match(rf"({kinds})(?! \")", line)]
    assert nameless == [], "each control, picture and table has a name"


@pytest.mark.parametrize("name", there(WATCH, TEACH))
def test_without_javascript_a_figure_stands_there(name, open_page):
    page = open_page(name, java_script_enabled=False)
    place = page.locator("#watch, #teach")
    assert place.locator("img").is_visible()
    assert "JavaScript" in place.inner_text()


@watched
def test_watching_needs_no_network_once_it_is_loaded(open_page):
    page = ready(open_page(WATCH))
    page.wait_for_function("watch.report")
    page.context.set_offline(True)
    assert len(train(page, 20)) == 2
    setting(page, "seed", 2)  # a new run has a new worker
    assert len(train(page, 20)) == 2


@taught
def test_teaching_needs_no_network_once_it_is_loaded(open_page):
    page = ready(open_page(TEACH))
    press(page, "Take examples with a flaw")
    page.wait_for_function("teach.students.scratch?.points.length > 0")
    page.context.set_offline(True)
    press(page, "Take drawn examples")
    wait_for(page, "A new drawing")
    wait_for(page, "Taught", timeout=300_000)
