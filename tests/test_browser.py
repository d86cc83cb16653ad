"""The rendered pages in headless Chromium, with everything from outside refused."""

import re
import shutil
import threading

import pytest
from conftest import ROOT, load_tool, rendered_pages

pytest.importorskip("playwright", reason="Playwright is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("without Chromium, no page is judged", allow_module_level=True)

QUARTO, paths = rendered_pages()
PAGES = [path.relative_to(ROOT / "_site").as_posix() for path in paths]
PARTS = [page for page in PAGES if re.match(r"notebooks/\d", page)]
each_theme = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="module")
def address():
    with load_tool("render").Server() as server:
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


@pytest.mark.parametrize("width", [1280, 390])
@each_theme
def test_page_is_whole_accessible_and_by_itself(theme, width, open_page):
    """No other host, no error, nothing sideways, no finding of axe, with all open."""
    page, found = open_page("index.html", theme, width), {}
    for name in PAGES:
        page.wrong.clear()
        page.go(name)
        assert page.locator("main h1").inner_text()
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = 1)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        result = Axe().run(page, options={"resultTypes": ["violations"]}).response
        for rule in result["violations"]:
            page.wrong += [f"{rule['id']}: {n['html'][:150]}" for n in rule["nodes"]]
        if page.wrong:
            found[name] = list(page.wrong)
    assert found == {}


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


@each_theme
def test_page_on_paper_is_whole_and_nothing_but_text(theme, open_page):
    page, found = open_page("index.html", theme, width=680), {}
    page.emulate_media(media="print")
    for name in PAGES:
        page.go(name)
        if wrong := page.evaluate(PRINTED):
            found[name] = wrong
    assert found == {}


def test_theme_of_page_and_sidebar_follow_the_system(open_page):
    def brightness(theme, place):
        colour = f"getComputedStyle(document.querySelector('{place}')).backgroundColor"
        colour = open_page("index.html", theme).evaluate(colour)
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    for place in ("body", "#quarto-sidebar"):
        assert brightness("light", place) > 600 > 200 > brightness("dark", place)


def test_search_finds_a_word_of_the_lecture(open_page):
    page = open_page("index.html")
    page.locator("#quarto-search").click()
    page.keyboard.type("overfitting")
    found = page.locator(".smalldocs-search-results a, .aa-Panel a").first
    found.wait_for(timeout=5000)
    assert "03-training" in found.get_attribute("href")


def test_hints_and_solutions_open_by_keyboard(open_page):
    page = open_page(PARTS[0])
    for part in PARTS:
        page.go(part)
        for name in ("Hint", "Solution"):
            summaries = page.locator("summary", has_text=name)
            assert summaries.count() >= 3, name
            content = summaries.first.locator("xpath=following-sibling::*").first
            assert not content.is_visible()
            summaries.first.focus()
            page.keyboard.press("Enter")
            assert content.is_visible()
        cells = page.locator("details:has(> summary:text-is('Solution')) .cell")
        assert cells.count() >= 3, "code and output of a solution are folded with it"


def test_code_is_copied_and_hidden(open_page):
    permissions = ["clipboard-read", "clipboard-write"]
    page = open_page(PARTS[0], permissions=permissions)
    block = page.locator("main .cell").first
    block.hover()
    block.locator(".code-copy-button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("pre code").first.inner_text().strip()
    assert "import" in copied
    code = page.locator("main .cell .sourceCode:visible")
    assert code.count() > 20
    page.get_by_role("button", name="Hide all code").click()
    assert code.count() == 0
    assert page.locator("main .cell-output:visible").count() > 10
    page.get_by_role("button", name="Show all code").click()
    assert code.count() > 20


def test_next_leads_through_all_parts(open_page):
    page = open_page(PARTS[0])
    for part in PARTS[1:]:
        page.locator(".nav-page-next a").click()
        page.wait_for_url(f"**/{part}")
    page.locator(".nav-page-previous a").click()
    page.wait_for_url(f"**/{PARTS[-2]}")


def test_keyboard_reaches_the_parts_and_shows_where_it_is(open_page):
    page = open_page("index.html")
    focused = page.locator("main a:focus[href$='01-data.html']")
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused.count():
            break
    style = focused.evaluate("e => getComputedStyle(e)")
    assert style["outlineStyle"] != "none" or style["boxShadow"] != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/01-data.html")


def test_tabs_of_the_page_in_r_change_together(open_page):
    page = open_page("pages/r.html")
    python = page.get_by_role("tab", name="Python")
    assert python.count() > 5
    code = page.locator("pre", has_text="keras.backend.backend()")
    assert not code.is_visible()
    python.nth(3).click()
    assert code.is_visible()


def test_numbers_in_tables_stand_to_the_right_below_their_name(open_page):
    page = open_page("notebooks/04-testing.html")
    table = page.locator("table.dataframe", has_text="accuracy, %").first
    cells = table.locator("th:visible, td:visible")
    sides = cells.evaluate_all("x => x.map(e => getComputedStyle(e).textAlign)")
    texts = [text.strip() for text in cells.all_inner_texts()]
    for text, side in zip(texts, sides, strict=True):
        number = text == "accuracy, %" or text.replace(".", "").isdigit()
        assert not text or (side == "right") == number, text


def test_notebook_is_there_to_download_and_its_hosts_follow_from_the_address(open_page):
    page = open_page(PARTS[0])
    with page.expect_download() as download:
        page.get_by_text("Download the notebook").click()
    name = "notebooks/01-data.ipynb"
    assert download.value.path().read_bytes() == (ROOT / name).read_bytes()
    source = "https://github.com/some/lecture/blob/main/notebooks/01-data.ipynb"
    page.evaluate(  # with a link to the source, as the renderers write it
        f"""document.querySelectorAll(".toc-action, .notebook-links").forEach(
            element => element.remove());
        document.body.innerHTML += '<a class="toc-action" href="{source}"></a>';"""
    )
    script = (ROOT / "pages" / "links.html").read_text(encoding="utf-8")
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
    const end = document.querySelector(".reveal > .footer").getBoundingClientRect().top;
    const cut = e => getComputedStyle(e).overflow !== "visible" && e.clientHeight &&
        Math.max(e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth) > 2;
    const over = ({ width, bottom, left, right }) => width && (left < room.left - 1 ||
        right > room.right + 1 || bottom > Math.min(room.bottom, end) + 1);
    const small = e => e.matches("pre code, td") &&
        parseFloat(getComputedStyle(e).fontSize) < 20;
    return [...slide.querySelectorAll("*:not(aside)")]
        .filter(e => cut(e) || over(e.getBoundingClientRect()) || small(e))
        .map(e => slide.id + ": " + e.outerHTML.slice(0, 120));
}"""


@pytest.mark.skipif(not QUARTO, reason="made without Quarto: no slide is judged")
@pytest.mark.parametrize("size", [(1050, 700), (1280, 720)])
def test_every_slide_fits_and_can_be_read_from_the_last_row(size, open_page):
    page = open_page("slides/index.html", "light", *size)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("Reveal.configure({ transition: 'none' })")
    for number in range(page.locator(".slides > section").count()):
        page.wrong += page.evaluate(FAULTS, number)
    assert page.wrong == []
