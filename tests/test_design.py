"""The design: what pages/design/tokens.css promises, measured in headless Chromium."""

import itertools
import re

import pytest
import test_browser
from conftest import LECTURE, ROOT, SITE
from test_browser import PAGES, PARTS, QUARTO

from helpers import figures
from tools.pages.draw import tokens

address, browser = test_browser.address, test_browser.browser  # fixtures
open_page = test_browser.open_page
TOKENS = (ROOT / "pages" / "design" / "tokens.css").read_text(encoding="utf-8")
COLOURS = ("ink", "blue", "orange", "green", "soft")
TYPEFACES = {"Lecture Sans", "Lecture Mono"}


def luminance(colour):
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def test_letters_have_contrast_on_both_grounds_and_on_panels():
    light, dark = TOKENS.split(".quarto-dark {")
    for theme in (light, dark):
        found = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", theme))
        said = dict(re.findall(r"--(\w+): #\w+; /\* ([\d.]+)", theme))
        for name in COLOURS:
            on_ground = contrast(found[name], found["ground"])
            assert abs(on_ground - float(said[name])) < 0.1, (name, on_ground)
            assert min(on_ground, contrast(found[name], found["panel"])) >= 4.5, name


def test_figures_have_the_colours_of_the_pages():
    for name in (*COLOURS, "line"):
        assert getattr(figures, name.upper()) == tokens()[name]


def test_names_stand_at_the_ends_of_lines_and_apart():
    plt = figures.plt
    figures.set_style()  # letters of the lecture's typeface are taller than others
    figure, ax = plt.subplots()
    for end in (0.5, 0.501, 0.9):
        ax.plot([0, 1], [0, end])
    figures.name_lines(ax, ["a", "b", "c"])
    figure.canvas.draw()
    boxes = sorted(
        (text.get_window_extent().y0, text.get_window_extent().y1) for text in ax.texts
    )
    for below, above in itertools.pairwise(boxes):
        assert above[0] >= below[1] - 1
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="a name for each line"):
        figures.name_lines(ax, ["a"])
    plt.close(figure)


# The letters in a line of each long paragraph, the typefaces of what is seen, and where
# the first figure begins.
MEASURED = """async () => {
    await document.fonts.ready;
    const shown = selector => [...document.querySelectorAll(selector)].filter(e =>
        e.offsetParent);
    const style = (e, name) => getComputedStyle(e)[name];
    const long = e => e.textContent.length > 250 && !e.querySelector("img, br, p, li");
    const letters = e => e.textContent.replace(/\\s+/g, " ").length;
    const count = e => Math.round(e.clientHeight / parseFloat(style(e, "lineHeight")));
    const lines = shown("main :is(p, li)").filter(long).map(e => letters(e) / count(e));
    const words = e => !e.closest("math, svg, i") &&
        [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const first = e => style(e, "fontFamily").split(",")[0].replaceAll('"', "");
    const families = [...new Set(shown("body *").filter(words).map(first))];
    const places = [...document.querySelectorAll("main :is(img, canvas, svg.chart)")]
        .map(e => e.getBoundingClientRect()).filter(place => place.height > 60);
    const loaded = document.fonts.check("16px 'Lecture Sans'");
    return { lines, families, figure: places[0]?.top ?? null, loaded };
}"""


def test_lines_typefaces_and_widths(open_page):
    """Lines of about 75 letters, one family, figures early; nothing sideways at 320."""
    page, lines, wrong = open_page("index.html"), [], []
    for name in PAGES:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.go(name)
        if page.locator("#play, #watch, #teach").count():
            page.wait_for_load_state("networkidle")  # their style sheet comes with them
        found = page.evaluate(MEASURED)
        lines += found["lines"]
        wrong += [
            f"{name}: {n:.0f} letters in a line" for n in found["lines"] if n > 84
        ]
        if {*found["families"]} - TYPEFACES or not found["loaded"]:
            wrong.append(f"{name}: {found['families']}")
        if name in PARTS and not (found["figure"] and found["figure"] < 2 * 900):
            wrong.append(f"{name}: the first figure begins at {found['figure']}")
        for width in (640, 320):  # 640 is what 1280 pixels show at 200%
            page.set_viewport_size({"width": width, "height": 450})
            page.evaluate("new Promise(done => requestAnimationFrame(done))")
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                wrong.append(f"{name}: {wide} pixels wide at {width}")
    assert wrong == []
    assert len(lines) > 50 and sum(lines) / len(lines) <= 76


# What the page asked for before anything was painted, and how much has moved since.
ARRIVED = """async () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
    const files = performance.getEntriesByType("resource")
        .filter(e => e.startTime < paint && !e.name.includes("/site_libs/"));
    const shift = await new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => list.getEntries().forEach(e => sum += e.value))
            .observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(sum), 300);
    });
    return { shift, early: files.map(e => [e.name, e.encodedBodySize]) };
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_front_page_paints_before_the_weights_and_nothing_moves(width, open_page):
    page = open_page("index.html", width=width)
    page.wait_for_function("globalThis.front?.network", timeout=30_000)
    found = page.evaluate(ARRIVED)
    assert not [name for name, _ in found["early"] if name.endswith("weights.bin")]
    assert sum(size for _, size in found["early"]) <= 200_000, found["early"]
    assert found["shift"] <= 0.01
    assert page.wrong == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_below_the_title_of_a_part(width, open_page):
    page = open_page(PARTS[1], width=width)
    page.locator(".notebook-links").wait_for()
    assert page.evaluate(ARRIVED)["shift"] <= 0.01


def test_front_page_by_keyboard(open_page):
    """A guess, the network's five classes, a stroke that changes them; and training."""
    page = open_page("index.html")
    table = page.locator("#front .answers")
    assert table.inner_text().count("?") == 10, "nothing is told before the guess"
    page.get_by_role("button", name="apple", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("globalThis.front?.tensors", timeout=30_000)
    said = page.locator("#front .said")
    assert re.match(r"It says .+ \d+\.\d%. You said apple\.", said.inner_text())
    assert table.locator("tr").count() == 5
    before = table.inner_text()
    page.get_by_role("application").focus()
    for _ in range(6):
        page.keyboard.press("Space")
        page.keyboard.press("ArrowUp")
    page.wait_for_function(
        "text => document.querySelector('#front .answers').innerText !== text",
        arg=before,
    )
    page.get_by_role("radio", name="drawing: rocket").check()
    page.wait_for_function("!front.guess")
    page.get_by_role("button", name="Watch it learn").press("Enter")
    page.wait_for_function("learning.points.length > 3", timeout=60_000)
    chart = page.get_by_role("img", name=re.compile("^Accuracy by step. Last values:"))
    assert "validation" in chart.get_attribute("aria-label")
    assert page.wrong == []


def test_front_page_without_javascript(open_page):
    page = open_page("index.html", java_script_enabled=False)
    assert page.locator("#front .frame img").is_visible()
    assert page.get_by_text("Where JavaScript is on, you can guess here").is_visible()


def test_screen_readers_are_told_where_they_are(open_page):
    """The landmarks and the outline of the front page, in the accessibility tree."""
    page = open_page("index.html")
    assert page.get_by_role("navigation", name="The site", exact=True).count() == 1
    assert page.get_by_role("main").count() == 1
    page.get_by_role("application").wait_for()  # it is there once the script has run
    tree = page.locator("main").aria_snapshot()
    levels = [int(level) for level in re.findall(r"heading .*\[level=(\d)\]", tree)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert 'application "The picture, 32 by 32 pixels.' in tree
    assert 'table "The five most probable classes"' in tree
    assert 'group "Or another drawing"' in tree


@pytest.mark.skipif(not QUARTO, reason="made without Quarto: there is no deck")
def test_slides_state_a_claim_in_one_line_and_tables_are_short(open_page):
    page = open_page("slides/index.html", width=1280, height=720)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    content = page.locator("meta[name=viewport]").get_attribute("content")
    assert "user-scalable=no" not in content and "maximum-scale" not in content
    titles = page.evaluate(
        """() => [...document.querySelectorAll(".slides > section")].map((slide, i) => {
            Reveal.slide(i, 0, 1000);
            const title = slide.querySelector("h2");
            const rows = [...slide.querySelectorAll("table:not(.numbers) tbody")];
            return [title?.textContent ?? "", title?.offsetHeight ?? 0,
                Math.max(0, ...rows.map(body => body.rows.length))];
        })"""
    )
    assert [title for title, high, _ in titles if high > 60] == []
    assert [title for title, _, rows in titles if rows > 4] == []
    main = page.locator(".slides > section:not(.more)").count()
    assert 20 <= main <= 30
    page.evaluate("Reveal.slide(0)")
    page.evaluate("Reveal.configure({ transition: 'none' })")
    where = "[Reveal.getIndices().h, Reveal.getIndices().f]"
    for place in ([1, -1], [1, 0], [2, None]):  # by keyboard: a slide, its answer, on
        page.keyboard.press("ArrowRight")
        assert page.evaluate(where) == place


def test_site_brings_its_typefaces_and_their_licence():
    assert (LECTURE / "pages" / "design" / "OFL.txt").is_file()
    for name in re.findall(r'url\("([^"]+)"\)', TOKENS):
        assert (SITE / "pages" / "design" / name).stat().st_size < 40_000
    assert "http" not in TOKENS
