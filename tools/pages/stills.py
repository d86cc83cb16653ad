"""Take the pictures that stand in the pages where no program runs, and the README's.

Opens the rendered site in Chromium, and JupyterLab for the README. Run it when a page
looks different: .venv/bin/python -m tools.pages.stills [play] [convolution] ...

The play page is pictured without its test images, which are CIFAR-100's.
"""

import io
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

from PIL import Image

from tools.common.paths import ROOT
from tools.pages.render import Server

PICTURES = ROOT / "images"
LIMIT = 100_000  # bytes
WIDE = {"width": 1280, "height": 900}
HALF = {"width": 1000, "height": 796}  # each half of the README's picture, as 700 x 557
PORT = 8917


def save(name, picture):
    """Save a picture with 256 colours, which its few greys and drawings do not miss."""
    path = PICTURES / f"{name}.png"
    few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    size = path.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{path.name} has {size:,} bytes, expected at most {LIMIT:,}.")
    print(f"{path.relative_to(ROOT)}: {few.width} x {few.height}, {size:,} bytes")


def between(page, first, last):
    """Return the picture of a page from the top of one element to another's end."""
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    start, end = first.bounding_box(), last.bounding_box()
    down = page.evaluate("scrollY")
    place = page.locator("main").bounding_box()
    clip = {"x": start["x"] - 8, "y": start["y"] + down - 8}
    clip["width"] = place["x"] + place["width"] - clip["x"]
    clip["height"] = end["y"] + end["height"] - start["y"] + 16
    return Image.open(io.BytesIO(page.screenshot(clip=clip, full_page=True)))


def play(page, address):
    page.goto(f"{address}pages/play.html")
    page.locator("#play > .said", has_text="says").wait_for(timeout=60_000)
    photographs = page.get_by_role("group", name="Test images")
    photographs.wait_for()
    photographs.evaluate("element => element.remove()")
    top, maps = page.locator("#play .stages").first, page.locator(".way .maps").first
    return between(page, top, maps)


def convolution(page, address):
    page.goto(f"{address}pages/play.html")
    picture = page.get_by_role("combobox", name="Picture", exact=True)
    picture.select_option("a square")
    step = page.get_by_role("button", name="One step", exact=True)
    step.click(click_count=9)
    stages = page.locator(".convolution-to-touch .stages").first
    return between(page, stages, stages)


def watch(page, address):
    page.goto(f"{address}pages/watch.html")
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator("#watch .said", has_text="Done").wait_for(timeout=600_000)
    return between(page, page.locator("#watch .settings"), page.locator(".maps-of-one"))


def teach(page, address):
    page.goto(f"{address}pages/teach.html")
    page.get_by_role("button", name="Take drawn examples").click()
    result = page.locator("#teach .result", has_text="60 new drawings")
    result.wait_for(timeout=600_000)
    return between(page, page.locator("#teach .choices").first, result)


def front(page, address):
    page.goto(f"{address}index.html")
    page.get_by_role("button", name="apple", exact=True).click()
    page.locator("#front .said", has_text="It says").wait_for(timeout=60_000)
    return Image.open(io.BytesIO(page.screenshot()))


def exercise(page):
    """Return a picture of an exercise of part 2 in JupyterLab."""
    options = ["--no-browser", "--port", str(PORT), "--ServerApp.port_retries=0"]
    options += ["--IdentityProvider.token=", "--LabApp.collaborative=False"]
    command = [sys.executable, "-m", "tools.notebooks.lab", *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    address = f"http://127.0.0.1:{PORT}/lab/tree/notebooks/02-model.ipynb"
    with subprocess.Popen(command, cwd=ROOT, **quiet) as lab:
        try:
            wait(address)
            page.goto(address)
            page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=120_000)
            title = page.locator(".jp-RenderedMarkdown h3", has_text="Exercise 2")
            page.locator(".jp-NotebookPanel .jp-Cell").first.hover()
            for _ in range(300):  # cells that are out of sight are not drawn yet
                if title.count() and title.is_visible():
                    break
                page.mouse.wheel(0, 500)
                page.wait_for_timeout(100)
            title.scroll_into_view_if_needed()
            page.wait_for_timeout(2000)
            return Image.open(io.BytesIO(page.screenshot()))
        finally:
            lab.terminate()


def wait(address, seconds=120):
    """Wait until a server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(1)
    raise SystemExit(f"JupyterLab did not start within {seconds} seconds.")


def readme(page, address):
    page.set_viewport_size(HALF)
    halves = [front(page, address), exercise(page)]
    both = Image.new("RGB", (1416, 557), "#8a8a8a")
    for half, left in zip(halves, (0, 716), strict=True):
        both.paste(
            half.convert("RGB").resize((700, 557), Image.Resampling.LANCZOS), (left, 0)
        )
    return both


STILLS = {x.__name__: x for x in (play, convolution, watch, teach, readme)}


def main(names):
    from playwright.sync_api import sync_playwright

    if not (ROOT / "_site" / "index.html").exists():
        raise SystemExit("No pictures: the site is not rendered, run `make site`.")
    unknown = [name for name in names if name not in STILLS]
    if unknown:
        known = ", ".join(STILLS)
        raise SystemExit(f"No pictures: {unknown[0]} is unknown, known are {known}.")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    options = {"executable_path": program, "args": ["--no-sandbox"]}
    with Server(ROOT / "_site") as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(**options)
        for name in names or STILLS:
            page = browser.new_page(viewport=WIDE, reduced_motion="reduce")
            save(name, STILLS[name](page, server.address))
            page.close()
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
