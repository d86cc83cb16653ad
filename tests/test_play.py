"""The page `play` and the convolution to touch, in headless Chromium, next to Keras."""

import contextlib
import io
import itertools
import json
import re

import numpy as np
import pytest
import test_browser
from conftest import ROOT
from PIL import Image, ImageOps
from test_browser import PLAY, begin

from helpers import load_run, quiet_start
from tools.pages import play as play_tool

with quiet_start():
    import keras
    from keras import layers, ops

address, browser = test_browser.address, test_browser.browser  # fixtures
open_page = test_browser.open_page
NETWORK = ROOT / "_site" / "pages" / "play" / "network"
if not (ROOT / "pages" / "play.qmd").exists():
    pytest.skip("the page was left out", allow_module_level=True)
FORWARD = """async (images) => {
  const { forward } = await import("../pages/play/network.js");
  const run = (pixels) => forward(play.network, Float32Array.from(pixels)).slice(1);
  const mean = ({ data }) => data.reduce((a, b) => a + b, 0) / data.length;
  return images.map(run).map((all) =>
    [all.map((x) => x.shape), all.map(mean), Array.from(all.at(-1).data)]);
}"""
SETTLED = """(before) => {
  const now = document.querySelector("#play > .said")?.textContent ?? before;
  return now !== before && !now.endsWith("…");
}"""
DROP = """() => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["no picture"], "dropped.txt"));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}"""


def png(height, width, channels=3, **options):
    rng, file = np.random.default_rng(425), io.BytesIO()
    image = rng.integers(60, 196, (height, width, channels), np.uint8)
    Image.fromarray(image).save(file, "png", **options)
    return file.getvalue()


def choose(page, buffer, name="a.png"):
    """Choose a file; return what the page says of it."""
    file = {"name": name, "mimeType": "", "buffer": buffer}
    return said(page, lambda: page.set_input_files("input[type=file]", file))


def said(page, act):
    """Return the sentence that the page says once something was done."""
    before = page.locator("#play > .said").inner_text()
    act()
    page.wait_for_function(SETTLED, arg=before)
    return page.locator("#play > .said").inner_text()


@contextlib.contextmanager
def changes(page, place):
    """Wait until another text stands in that place of the page than before."""
    before = page.locator(place).first.inner_text()
    yield
    another = "([place, said]) => document.querySelector(place).innerText !== said"
    page.wait_for_function(another, arg=[place, before], timeout=10_000)


def pixels(page):
    return np.reshape(page.evaluate("Array.from(play.pixels)"), (1, 32, 32, 3))


def compare(page, model, images):
    """Assert that the page computes what Keras does, layer by layer."""
    whole = keras.Model(model.inputs, [layer.output for layer in model.layers])
    wanted = [np.array(x) for x in whole.predict(images, verbose=0)]
    found = page.evaluate(FORWARD, images.reshape(len(images), -1).tolist())
    for shapes, *_ in found:
        assert shapes == [list(x.shape[1:]) for x in wanted]
    means = np.transpose([x.reshape(len(images), -1).mean(axis=1) for x in wanted])
    assert np.allclose([f[1] for f in found], means, 1e-2, 1e-3)
    assert abs(wanted[-1] - [f[2] for f in found]).max() < 1e-3


def test_page_computes_what_keras_does(real_data, open_page):
    from helpers.recipes import build_model

    model = build_model(real_data)
    model.load_weights(load_run("baseline").weights)
    compare(begin(open_page(PLAY)), model, real_data.test[0][20:220].astype("float32"))


def test_another_network_changes_the_page(open_page):
    keras.utils.set_random_seed(425)
    norm = layers.BatchNormalization()
    stack = [keras.Input((32, 32, 3)), layers.Rescaling(1 / 127.5, offset=-1)]
    stack += [layers.Conv2D(8, (5, 4), strides=2, padding="same", use_bias=False), norm]
    stack += [layers.ReLU(), layers.AveragePooling2D(3, strides=2, padding="same")]
    stack += [layers.Conv2D(12, 3, strides=(1, 2)), layers.Activation("relu")]
    stack += [layers.MaxPooling2D(3, strides=2, padding="same")]
    stack += [layers.GlobalAveragePooling2D(), layers.Dense(100, activation="softmax")]
    model = keras.Sequential(stack)
    rng = np.random.default_rng(425)
    norm.set_weights([rng.uniform(0.5, 2, w.shape) for w in norm.get_weights()])
    network, weights = play_tool.pack(model)
    whole = json.loads((NETWORK / "network.json").read_text(encoding="utf-8"))
    body = json.dumps({**whole, **network, "temperature": 2})
    page = open_page("index.html")
    page.route("**/weights.bin", lambda route: route.fulfill(body=weights))
    page.route("**/network.json", lambda route: route.fulfill(body=body))
    page.goto(page.url.replace("index.html", PLAY))
    compare(begin(page), model, rng.integers(0, 256, (20, 32, 32, 3)).astype("float32"))
    assert page.locator(".way fieldset").count() == 4
    plain = model.predict(pixels(page), verbose=0)[0]
    warm = np.sqrt(plain) / np.sqrt(plain).sum()
    cells = page.locator(".answers tbody tr").first.locator("td").all_inner_texts()
    assert [c.strip() for c in cells] == [f"{warm.max():.1%}"]
    page.locator("summary", has_text="How softmax computes").click()
    formula = page.locator(".formula").inner_text()
    assert formula.endswith(f"= 1 / {1 / warm.max():.3f} = {warm.max():.1%}")


def test_layer_without_counterpart_is_one_sentence():
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.SeparableConv2D(4, 3)])
    with pytest.raises(play_tool.RunError, match="SeparableConv2D"):
        play_tool.pack(model)


def test_picture_gets_the_pixels_that_pil_gives(open_page):
    page = begin(open_page(PLAY))
    for size in ((333, 500), (70, 41), (20, 20), (90, 120, 4)):  # one transparent
        content = png(*size)
        assert str(size[1]) in choose(page, content)
        image = Image.open(io.BytesIO(content)).convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        wanted = np.array(ImageOps.fit(ground.convert("RGB"), (32, 32)), int)
        assert abs(wanted - pixels(page)).max() <= 1, size


def test_each_mishap_is_one_sentence_and_the_page_goes_on(open_page, tmp_path):
    page, sentences = open_page("index.html"), []
    weights = (NETWORK / "weights.bin").read_bytes()
    bodies = [b"\xff" + weights[1:], weights[:-1], weights[:1000], b""]
    page.route("**/weights.bin", lambda route: route.fulfill(body=bodies.pop(0)))
    page.goto(page.url.replace("index.html", PLAY))  # it opens with a drawing
    page.wait_for_function(SETTLED, arg="")
    sentences.append(page.locator("#play > .said").inner_text())
    for number in range(3):
        sample = page.locator("input[name=sample]").nth(number)
        sentences.append(said(page, sample.check))
    page.unroute("**/weights.bin")
    heic = b"\0\0\0\x18ftypheic" + bytes(1000)
    files = {"notes.txt": b"no", "photo.heic": heic, "cut.png": png(50, 50)[:900]}
    for name, content in {**files, "line.png": png(4000, 1)}.items():
        sentences.append(choose(page, content, name))
        assert name in sentences[-1]
    sentences.append(said(page, lambda: page.evaluate(DROP)))
    assert len(set(sentences)) == 9 and "dropped.txt" in sentences[-1]
    for sentence in sentences:
        assert re.fullmatch(r"\S.+[^.…]\.", sentence) and ". " not in sentence
    assert page.locator(".answers tbody tr").count() == 0
    (tmp_path / "large.png").write_bytes(png(2700, 2700, compress_level=0))
    page.set_input_files("input[type=file]", tmp_path / "large.png")  # 22 MB
    page.locator(".answers tbody tr").nth(4).wait_for()
    assert page.wrong == []


SLOW = """() => {
  const read = globalThis.createImageBitmap;
  globalThis.createImageBitmap = async (file) => {
    await new Promise((resolve) => setTimeout(resolve, 800));
    return read(file);
  };
}"""


def test_the_latest_choice_wins_whatever_loads_slower(open_page):
    page = begin(open_page(PLAY))
    page.evaluate(SLOW)
    file = {"name": "slow.png", "mimeType": "", "buffer": png(50, 50)}
    page.set_input_files("input[type=file]", file)
    begin(page, "apple")
    apple = pixels(page)
    page.wait_for_timeout(1500)
    assert (pixels(page) == apple).all()
    assert "apple" in page.locator("#play > .said").inner_text()
    assert "slow" in choose(page, png(60, 60), "slow.png"), "chosen last, it counts"


def test_the_chosen_map_stays_when_the_picture_changes(open_page):
    page = begin(open_page(PLAY))
    layer = page.locator(".way fieldset").nth(2)
    layer.get_by_role("button", name="Show all").click()
    layer.locator("input").nth(40).check()
    chosen = page.locator(".way input:checked").get_attribute("value")
    for drawing in ("apple", "sea", "rocket"):
        begin(page, drawing)
        assert page.locator(".way input:checked").get_attribute("value") == chosen
    number = chosen.split()[1]
    assert f"Map {number}," in page.locator(".sum p").first.inner_text()


def test_without_test_images_the_page_says_so_and_goes_on(open_page):
    page = open_page("index.html")
    network = json.loads((NETWORK / "network.json").read_text(encoding="utf-8"))
    body = json.dumps({**network, "samples": [1, 2]})
    page.route("**/network.json", lambda route: route.fulfill(body=body))
    handlers = [
        lambda route: route.fulfill(status=404),
        lambda route: route.fulfill(body=b"too short"),
        lambda route: route.abort(),
    ]
    for handler in handlers:
        page.unroute("**/samples.bin")
        page.route("**/samples.bin", handler)
        page.go(PLAY)
        begin(page)
        said = page.locator("#play div > p[role=status]").first
        assert "reload the page" in said.inner_text()
        assert page.locator(".answers tbody tr").count() == 5


def test_all_of_it_by_keyboard(open_page):
    page = begin(open_page(PLAY))
    page.evaluate("document.querySelector('#play canvas.picture').focus()")
    reached = ""
    for _ in range(60):
        reached += page.evaluate("document.activeElement.ariaLabel + '\\n'")
        page.keyboard.press("Tab")
    for name in ("The picture", r"map \d", r"Map \d", "Picture", "Output", "weight"):
        assert re.search(f"^{name}", reached, re.M), name
    own, touch = "#play > .said", ".convolution-to-touch > .said"
    for place, keys, sentence in (
        ("canvas.picture", ["ArrowLeft", "Space"], own),
        (".way input:checked", ["ArrowRight"], ".sum p"),
        (".detail canvas", ["ArrowDown"], ".sum p"),
        ("[aria-label^='Output']", ["ArrowRight"], touch),
        ("[aria-label^='Picture.']", ["ArrowDown"], touch),
    ):
        with changes(page, sentence):
            page.locator(place).first.focus()
            for key in keys:
                page.keyboard.press(key)
    with changes(page, ".answers"):
        page.get_by_role("button", name="Restore").press("Enter")


def test_convolution_is_that_of_keras(open_page):
    touch = open_page("notebooks/02-model.html").locator(".convolution-to-touch")

    def select(name, option):
        touch.get_by_role("combobox", name=name, exact=True).select_option(option)

    def numbers(stage):
        rows = touch.locator("table").nth(stage).locator("tr").all_inner_texts()
        rows = [row.replace("\N{MINUS SIGN}", "-").split() for row in rows]
        return np.array(rows, "float32")

    select("Picture", "a ring")
    picture = numbers(0)[None, :, :, None]
    touch.get_by_role("checkbox", name="ReLU").check()
    touch.get_by_role("combobox", name="Pooling").select_option(index=1)
    filters = ("vertical edges", "blur", "sharpen")
    inputs = touch.locator("input[type=number]")
    for padding, stride, name in itertools.product(("valid", "same"), (1, 2), filters):
        for field, option in {"Padding": padding, "Stride": str(stride)}.items():
            select(field, option)
        select("Filter", name)
        kernel = np.array([x.input_value() for x in inputs.all()], "float32")
        output = ops.conv(picture, kernel.reshape(3, 3, 1, 1), stride, padding)
        assert np.allclose(numbers(1), output[0, :, :, 0], atol=6e-3)
        pooled = ops.max_pool(ops.relu(output), 2, strides=2)
        assert np.allclose(numbers(2), pooled[0, :, :, 0], atol=6e-3)
    touch.get_by_role("button", name="One step", exact=True).click()
    output = touch.locator("table").nth(1).locator("td").all_inner_texts()
    assert output[0] and not any(output[1:])


def test_without_javascript_or_server_a_figure_stands_there(browser, open_page):
    still, file = open_page(PLAY, java_script_enabled=False), browser.new_page()
    file.goto((ROOT / "_site" / PLAY).as_uri())
    for page in (still, file):
        assert page.locator("#play img").is_visible()
        assert page.locator(".convolution-to-touch img").is_visible()
    assert file.locator("#play p").count() > still.locator("#play p").count(), "why"
    file.close()
