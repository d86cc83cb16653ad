"""How fast is the network in the page `play`, next to Keras on the same machine?

Opens the rendered site in Chromium, writes play.json, which the page shows when it is
rendered again, and takes the pictures that stand there without JavaScript.
"""

import datetime
import functools
import http.server
import json
import os
import shutil
import statistics
import sys
import threading
import time
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import sync_playwright
from provenance import provenance

from helpers import load_data, load_run, quiet_start, run_cells
from helpers.runs import RUNS

ROOT = Path(__file__).resolve().parents[1]
FILE = RUNS / "play.json"
PASSES = 50
FORWARD = """async (passes) => {
  const { forward } = await import("../pages/play/network.js");
  return Array.from({ length: passes }, () => {
    const start = performance.now();
    forward(play.network, play.pixels);
    return performance.now() - start;
  });
}"""
# Move the pressed brush before every frame for three seconds; count what is computed.
ERASE = """() => new Promise((resolve) => {
  const canvas = document.querySelector("canvas.picture");
  const place = canvas.getBoundingClientRect();
  const frames = play.frames, start = performance.now();
  canvas.setPointerCapture = () => {};
  const move = (now) => {
    const x = place.left + place.width * (0.5 + 0.4 * Math.sin(now / 200));
    const y = place.top + place.height * (0.5 + 0.4 * Math.cos(now / 300));
    const at = { clientX: x, clientY: y, buttons: 1 };
    canvas.dispatchEvent(new PointerEvent("pointermove", at));
    if (now - start < 3000) requestAnimationFrame(move);
    else resolve((play.frames - frames) / ((now - start) / 1000));
  };
  requestAnimationFrame(move);
})"""


def in_keras():
    """Return the seconds of each of some passes of one image."""
    import numpy as np

    with quiet_start():
        model = run_cells("02-model.ipynb", "network")["build_model"](load_data())
    model.load_weights(load_run("baseline").weights)
    image = np.zeros((1, 32, 32, 3), "float32")
    model.predict_on_batch(image)
    seconds = []
    for _ in range(PASSES):
        start = time.perf_counter()
        model.predict_on_batch(image)
        seconds.append(time.perf_counter() - start)
    return seconds


def in_browser(address):
    """Return milliseconds of the passes, pictures per second, and the browser."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    options = {"executable_path": program, "args": ["--no-sandbox"]}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}pages/play.html")
        page.locator("input[aria-label='drawing: tree']").check()
        page.locator(".answers tbody tr").first.wait_for()
        for name in ("play", "convolution"):
            take(page, name)
        passes = page.evaluate(FORWARD, PASSES)
        return passes, page.evaluate(ERASE), f"Chromium {browser.version}"


def take(page, name):
    """Save a picture of a part of the page."""
    if name == "convolution":
        picture = page.get_by_role("combobox", name="Picture", exact=True)
        picture.select_option("a square")
        step = page.get_by_role("button", name="One step", exact=True)
        step.click(click_count=9)
    part = page.locator({"play": "#play", "convolution": ".convolution-to-touch"}[name])
    part.locator(".stages").first.scroll_into_view_if_needed()
    top = part.locator(".stages").first.bounding_box()
    last = part.locator(".stages, .maps:not(.samples)").nth(int(name == "play"))
    bottom = last.bounding_box()
    down = page.evaluate("scrollY")
    height = bottom["y"] + bottom["height"] - top["y"]
    clip = {**top, "y": top["y"] + down, "height": height}
    path = ROOT / "images" / f"{name}.png"
    page.screenshot(path=path, clip=clip, full_page=True)
    if name == "play":  # and its upper part for the card on the front page
        whole = Image.open(path).convert("RGB")
        card = ImageOps.fit(whole, (480, 270), centering=(0, 0))
        card.save(path.with_name("play-card.png"), optimize=True)


def main():
    source = provenance()
    if not (ROOT / "_site" / "pages" / "play.html").exists():
        raise SystemExit("Not measured: the site is not rendered, run `make site`.")

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Silent, directory=ROOT / "_site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        passes, frames, browser = in_browser(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
    keras = [1000 * seconds for seconds in in_keras()]
    results = {
        "finished": datetime.date.today().isoformat(),
        **source,
        "browser": browser,
        "browser_ms": round(statistics.median(passes), 1),
        "keras_ms": round(statistics.median(keras), 1),
        "ratio": round(statistics.median(passes) / statistics.median(keras), 1),
        "frames_per_second": round(frames),
    }
    new = FILE.with_suffix(".new")
    new.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    os.replace(new, FILE)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    sys.exit(main())
