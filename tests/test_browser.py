"""The rendered pages in headless Chromium, with everything from outside refused."""

import itertools
import re
import shutil
import threading

import pytest
from conftest import LECTURE, ROOT, SITE, rendered_pages, skip_or_fail

from tools.pages import render as render_tool

pytest.importorskip("playwright", reason="Playwright is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    skip_or_fail("without Chromium, no page is judged")

QUARTO, paths = rendered_pages()
PAGES = [path.relative_to(SITE).as_posix() for path in paths]
PARTS = [page for page in PAGES if re.match(r"notebooks/\d", page)]
PLAY = "pages/play.html"
DECK = QUARTO and (LECTURE / "slides/index.qmd").exists()


@pytest.fixture(scope="module")
def address():
    with render_tool.Server(SITE) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.address
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def begin(page, sample="tree"):
    """On the page `play`, choose a drawing and wait for the network."""
    page.locator(f"input[aria-label='drawing: {sample}']").check()
    page.locator(".answers tbody tr").nth(4).wait_for()
    page.locator("#play > .said", has_text="says").wait_for(state="attached")
    return page


@pytest.fixture
def open_page(browser, address):
    """Open a page of the site; what goes wrong, or to other hosts, is kept."""
    contexts = []

    def open_page(name, theme="light", width=1280, height=900, **options):
        size = {"width": width, "height": height}
        context = browser.new_context(color_scheme=theme, viewport=size, **options)
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.go = lambda name: page.goto(address + name, wait_until="load")

        def refuse(route):
            page.wrong.append(f"asks for {route.request.url}")
            route.abort()

        page.route(lambda url: not url.startswith((address, "data:")), refuse)
        page.on("console", lambda m: m.type == "error" and page.wrong.append(m.text))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.go(name)
        return page

    yield open_page
    for context in contexts:
        context.close()


# What is cut off, what belongs to the screen alone, and letters too pale for paper.
PRINTED = """() => {
    const seen = [...document.querySelectorAll("body *")].filter(e => e.offsetParent);
    const cut = seen.filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1
        && getComputedStyle(e).display !== "inline");
    const screen = seen.filter(e => e.matches("nav, button, .nav-tabs"));
    const pale = [...document.querySelectorAll("main p")].filter(e =>
        getComputedStyle(e).color.match(/[\\d.]+/g).slice(0, 3).some(c => c > 128));
    const folded = [...document.querySelectorAll(".tab-pane")].filter(e =>
        !e.offsetHeight);
    const main = document.querySelector("main").getBoundingClientRect();
    const end = Math.max(main.bottom, innerHeight) + 100;
    const empty = document.documentElement.scrollHeight > end;
    return [...cut, ...screen, ...pale, ...folded].map(e => e.outerHTML.slice(0, 120))
        .concat(main.width < innerWidth - 20 ? "narrow" : [], empty ? "empty" : []);
}"""
# What axe looks for, and where. It takes longest for contrasts, which depend on the
# theme and not on the width: on a phone, they are judged where a page is the first of
# its kind, since what only a phone shows is the frame that all pages share.
VIOLATIONS = {"resultTypes": ["violations"]}
TOUCHED = {"target-size": {"enabled": True}}
WHOLE = VIOLATIONS | {"rules": TOUCHED}
LAYOUT = VIOLATIONS | {"rules": TOUCHED | {"color-contrast": {"enabled": False}}}
COLOURS = VIOLATIONS | {"runOnly": ["color-contrast", "link-in-text-block"]}
VIEWS = (("light", 1280, WHOLE), ("light", 390, LAYOUT), ("dark", 1280, COLOURS))
PHONES = (("light", 390, COLOURS), ("dark", 390, COLOURS))
THEMES = {"light": "===", "dark": "!=="}
# Colours that are still on their way from one theme to the other have no contrast.
SETTLED = """() => document.getAnimations().every(animation =>
    !(animation instanceof CSSTransition) || animation.playState !== "running")"""
# Folded texts are seen, too. Of the words of code, each kind has a colour of its own,
# and one of them is left to be judged.
UNFOLD = """() => {
    document.querySelectorAll("details").forEach(details => details.open = true);
    const kinds = new Set();
    for (const word of document.querySelectorAll("pre span[class]")) {
        if (kinds.has(word.className) && !word.childElementCount)
            word.replaceWith(word.textContent);
        kinds.add(word.className);
    }
}"""


def choose_theme(page, theme):
    """Let the reader's system choose a theme, and wait for the page to follow."""
    page.emulate_media(media="screen", color_scheme=theme)
    ground = "getComputedStyle(document.body).backgroundColor"
    page.wait_for_function(f"{ground} {THEMES[theme]} 'rgb(255, 255, 255)'")
    page.wait_for_function(SETTLED)


def findings(page, views=VIEWS):
    """Return what axe finds in the views of a page, and what lies beyond its edge."""
    page.evaluate(UNFOLD)
    found = []
    for theme, width, options in views:
        choose_theme(page, theme)
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("new Promise(done => requestAnimationFrame(done))")
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{theme}, {width}: {wide} pixels wide"] if wide > width else []
        for rule in Axe().run(page, options=options).response["violations"]:
            nodes = [node["html"][:150] for node in rule["nodes"]]
            found += [f"{theme}, {width}, {rule['id']}: {html}" for html in nodes]
    return found


def test_page_is_whole_accessible_and_by_itself(open_page):
    """No other host, no error, nothing sideways, no finding of axe; whole on paper."""
    page, found = open_page("index.html"), {}
    for name in PAGES:
        page.wrong.clear()
        page.emulate_media(color_scheme="light")
        page.go(name)
        assert page.locator("main h1").inner_text()
        if name == PLAY:
            begin(page)
        first = name in (PAGES[0], PARTS[0])
        page.wrong += findings(page, VIEWS + PHONES * first)
        for theme in THEMES:
            choose_theme(page, theme)
            page.emulate_media(media="print")
            page.set_viewport_size({"width": 680, "height": 900})
            page.wrong += [f"on paper: {wrong}" for wrong in page.evaluate(PRINTED)]
        found |= {name: [*page.wrong]} if page.wrong else {}
    assert found == {}


def open_by_keyboard(page, summaries):
    """Open the first of the folded texts with the keyboard; return their number."""
    if summaries.count():
        content = summaries.first.locator("xpath=following-sibling::*").first
        assert not content.is_visible()
        summaries.first.focus()
        page.keyboard.press("Enter")
        assert content.is_visible()
    return summaries.count()


def test_hints_and_solutions_open_by_keyboard(open_page):
    """The student edition has no solutions."""
    page = open_page(PARTS[0])
    for part in PARTS:
        page.go(part)
        hints = open_by_keyboard(page, page.locator("summary", has_text="Hint"))
        assert hints, f"{part} has no hint"
        solutions = open_by_keyboard(page, page.locator("summary", has_text="Solution"))
        assert bool(solutions) == (LECTURE == ROOT), part
        solved = page.locator("main .cell", has_text="# Solution")
        folded = page.locator("details .cell", has_text="# Solution")
        assert solved.count() == folded.count(), "code and output are folded, too"


# A page may scroll smoothly to where the focus is: wait until it stands still, and for
# frames to be drawn, which takes long on a busy machine.
SCROLLED = """async () => {
    const top = () => document.activeElement.getBoundingClientRect().top;
    const frame = then => requestAnimationFrame(then);
    const next = () =>
        new Promise(then => frame(() => frame(() => setTimeout(then, 60))));
    for (let before = NaN; before !== top(); await next()) before = top();
}"""

# Where the focus is, what a reader sees of it, and whether it has come around.
FOCUSED = """() => {
    const e = document.activeElement;
    if (e === document.body) return null;
    const place = e.getBoundingClientRect(), style = getComputedStyle(e);
    const seen = place.width > 1 && place.bottom > 0 && place.top < innerHeight;
    const ring = [e, e.closest(".aa-Form")].filter(Boolean).some(e =>
        (getComputedStyle(e).outlineStyle !== "none" &&
        parseFloat(getComputedStyle(e).outlineWidth) >= 2) ||
        getComputedStyle(e).boxShadow !== "none");
    const been = e.dataset.been !== undefined;
    e.dataset.been = "";
    const kind = ["a.skip", "#quarto-sidebar *", ".quiz > summary", "summary",
        ".code-copy-button", ".page-navigation a", "*"].find(s => e.matches(s));
    return { kind, been, faults: [seen ? "" : "hidden", ring ? "" : "no ring"].join(""),
        html: e.outerHTML.slice(0, 100) };
}"""


def test_tab_goes_through_a_part_and_out_again(open_page):
    """The skip link first, then every quiz, fold and link; each seen; no trap."""
    page = open_page(PARTS[0])
    wanted = page.evaluate(
        """() => [...document.querySelectorAll("main summary, main a[href]")]
            .filter(e => e.offsetParent && e.tabIndex >= 0).length"""
    )
    stops = []
    for _ in range(400):
        page.keyboard.press("Tab")
        page.evaluate(SCROLLED)
        stop = page.evaluate(FOCUSED)
        if stop is None or stop["been"]:
            break
        stops.append(stop)
    assert stop is None or stop["kind"] == "a.skip", f"the focus is caught: {stop}"
    assert [stop for stop in stops if stop["faults"]] == []
    assert stops[0]["kind"] == "a.skip"
    assert stops[-1]["kind"] == ".page-navigation a"
    kinds = [stop["kind"] for stop in stops]
    assert (
        kinds.count(".quiz > summary") == page.locator("main .quiz > summary").count()
    )
    assert sum(stop["html"].startswith(("<a", "<summary")) for stop in stops) >= wanted
    page.keyboard.press("Shift+Tab")
    page.reload()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_screen_readers_find_their_way_through_a_part(open_page):
    """Landmarks with names, headings in order, pictures and folds with a text."""
    page = open_page(PARTS[0])
    for name in ("The site", "This page"):
        landmark = page.get_by_role("navigation", name=name, exact=True)
        assert landmark.count() == 1, name
    assert page.get_by_role("main").count() == 1
    tree = page.locator("main").aria_snapshot()
    levels = [int(level) for level in re.findall(r"heading .*\[level=(\d)\]", tree)]
    assert levels[0] == 1 and levels.count(1) == 1 and len(levels) > 10
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    figures = page.locator("main img:visible").count()
    named = page.get_by_role("main").get_by_role("img", name=re.compile(".{20,}"))
    assert named.count() == figures > 2
    assert not re.search(r"- (button|link|img|checkbox|textbox)\s*$", tree, re.M)
    hint = page.locator("summary", has_text="Hint").first
    assert "Hint" in hint.aria_snapshot()


def test_notebook_is_there_to_download_and_its_hosts_follow_from_the_address(open_page):
    page = open_page(PARTS[0])
    with page.expect_download() as download:
        page.get_by_text("Download the notebook").click()
    name = "notebooks/01-data.ipynb"
    assert download.value.path().read_bytes() == (LECTURE / name).read_bytes()
    source = "https://github.com/some/lecture/blob/main/notebooks/01-data.ipynb"
    page.evaluate(  # with a link to the source, as the renderers write it
        f"""document.querySelectorAll(".toc-action, .notebook-links").forEach(
            element => element.remove());
        document.body.innerHTML += '<a class="toc-action" href="{source}"></a>';"""
    )
    script = (LECTURE / "pages" / "links.html").read_text(encoding="utf-8")
    page.evaluate(re.search(r"<script>(.*?)</script>", script, re.S).group(1))
    links = page.locator(".notebook-links a").evaluate_all("x => x.map(a => a.href)")
    assert links[1:] == [
        "https://colab.research.google.com/github/some/lecture/blob/main/notebooks/01-data.ipynb",
        "https://mybinder.org/v2/gh/some/lecture/main?urlpath=lab/tree/notebooks/01-data.ipynb",
        "https://codespaces.new/some/lecture",
    ]


# What of a slide, all pauses passed, is cut off, spills over, or is too small to read.
FAULTS = """number => {
    Reveal.slide(number, 0, 1000);
    const slide = Reveal.getCurrentSlide();
    const room = document.querySelector(".reveal .slides").getBoundingClientRect();
    const cut = e => getComputedStyle(e).overflow !== "visible" && e.clientHeight &&
        Math.max(e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth) > 2;
    const over = ({ width, bottom, left, right }) => width && (left < room.left - 1 ||
        right > room.right + 1 || bottom > room.bottom + 1);
    const words = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const small = e => e.offsetParent && words(e) && !e.closest("math, script, option")
        && parseFloat(getComputedStyle(e).fontSize) < 24;
    return [...slide.querySelectorAll("*:not(aside)")]
        .filter(e => cut(e) || over(e.getBoundingClientRect()) || small(e))
        .map(e => slide.id + ": " + e.outerHTML.slice(0, 120));
}"""


@pytest.mark.skipif(not DECK, reason="there is no deck: no slide is judged")
@pytest.mark.parametrize("size", [(1050, 700), (1280, 720)])
def test_every_slide_fits_and_can_be_read_from_the_last_row(size, open_page):
    page = open_page("slides/index.html", "light", *size)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("Reveal.configure({ transition: 'none' })")
    for number in range(page.locator(".slides > section").count()):
        page.wrong += page.evaluate(FAULTS, number)
    assert page.wrong == []


@pytest.mark.skipif(not DECK, reason="there is no deck: no slide is numbered")
def test_slides_have_numbers_of_their_own_and_are_accessible(open_page):
    page = open_page("slides/index.html", "light", 1280, 720)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    slides = page.locator(".slides > section")
    numbers = []
    for number in range(slides.count()):
        page.evaluate("number => Reveal.slide(number)", number)
        numbers.append(page.locator(".slide-number").inner_text())
        behind = "more" in slides.nth(number).get_attribute("class").split()
        assert numbers[-1].startswith("Backup") == behind
    assert len({*numbers}) == len(numbers) > 20
    for number in (0, 1, len(numbers) - 1):
        page.evaluate("number => Reveal.slide(number)", number)
        options = WHOLE | {"preload": False}  # axe looks for the fonts in a wrong place
        for rule in Axe().run(page, options=options).response["violations"]:
            nodes = [node["html"][:150] for node in rule["nodes"]]
            page.wrong += [f"{number}, {rule['id']}: {html}" for html in nodes]
    assert page.wrong == []
