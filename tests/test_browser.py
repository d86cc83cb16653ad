"""The rendered pages in headless Chromium, with everything from outside refused."""

import functools
import http.server
import re
import shutil
import threading
from urllib.parse import urlsplit

import pytest
from conftest import ROOT, load_tool, skip_module_without_site

pytest.importorskip("playwright", reason="Playwright is not installed")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    reason = "Chromium is not at hand: the pages are not used in a browser"
    pytest.skip(reason, allow_module_level=True)

skip_module_without_site()
SITE = ROOT / "_site"
QUARTO = load_tool("render").quarto() is not None
PAGES = sorted(p.relative_to(SITE).as_posix() for p in SITE.glob("**/*.html"))
if QUARTO:  # the slides are no page then
    PAGES.remove("slides/index.html")
PARTS = [page for page in PAGES if re.match(r"notebooks/\d", page)]
each_page = pytest.mark.parametrize("page_name", PAGES)
each_theme = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="module")
def address():
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *arguments):
            """A page that is closed cuts its connections."""

    handler = functools.partial(Silent, directory=SITE)
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
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
    """Open a page of the site; what it asks of other hosts is refused and kept."""
    contexts = []

    def open_page(name, theme="light", width=1280, **options):
        context = browser.new_context(
            color_scheme=theme, viewport={"width": width, "height": 900}, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.outside, page.errors, page.sizes = [], [], []

        def route(route):
            if route.request.url.startswith(address):
                route.continue_()
            else:
                page.outside.append(route.request.url)
                route.abort()

        page.route(lambda url: not url.startswith("data:"), route)
        page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("response", lambda r: page.sizes.append(len(r.body())))
        page.goto(address + name, wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()


@each_page
def test_page_needs_no_other_host_and_has_no_errors(page_name, open_page):
    page = open_page(page_name)
    assert (page.outside, page.errors) == ([], [])
    assert page.locator("main h1").inner_text()
    assert len(page.sizes) > 3 and sum(page.sizes) < 2e6, sum(page.sizes)


@each_page
@each_theme
def test_axe_finds_nothing_serious(page_name, theme, open_page):
    found = Axe().run(open_page(page_name, theme)).response["violations"]
    serious = [
        (rule["id"], rule["nodes"][0]["html"][:200], len(rule["nodes"]))
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []


@each_page
def test_nothing_pushes_a_narrow_page_sideways(page_name, open_page):
    page = open_page(page_name, width=320)
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
        .filter(e => !e.parentElement.closest("pre, .cell-output-display, table"))
        .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_theme_follows_the_system(open_page):
    def brightness(theme):
        page = open_page("index.html", theme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert brightness("light") > 600 > 200 > brightness("dark")


def test_sidebar_goes_dark_with_the_page(open_page):
    page = open_page("index.html", "dark")
    colour = page.evaluate(
        "getComputedStyle(document.querySelector('#quarto-sidebar')).backgroundColor"
    )
    assert sum(map(int, re.findall(r"\d+", colour)[:3])) < 200


def test_search_finds_a_word_of_the_lecture(open_page):
    page = open_page("index.html")
    page.locator("#quarto-search").click()
    page.keyboard.type("overfitting")
    found = page.locator(".smalldocs-search-results a, .aa-Panel a").first
    found.wait_for(timeout=5000)
    assert "03-training" in found.get_attribute("href")


@pytest.mark.parametrize("page_name", PARTS)
def test_hints_and_solutions_open_by_keyboard(page_name, open_page):
    page = open_page(page_name)
    for name in ("Hint", "Solution"):
        summaries = page.locator("summary", has_text=name)
        assert summaries.count() >= 3, name
        content = summaries.first.locator("xpath=following-sibling::*").first
        assert not content.is_visible()
        summaries.first.focus()
        page.keyboard.press("Enter")
        assert content.is_visible()
    cells = page.locator("details:has(> summary:text-is('Solution')) .cell")
    assert cells.count() >= 3, "code and output of a solution are folded away with it"


def test_code_is_copied(open_page):
    permissions = ["clipboard-read", "clipboard-write"]
    page = open_page(PARTS[0], permissions=permissions)
    block = page.locator("main .cell").first
    block.hover()
    block.locator(".code-copy-button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("pre code").first.inner_text().strip()
    assert "import" in copied


def test_next_leads_from_the_front_page_through_all_parts(open_page):
    page = open_page("index.html")
    passed, way = [], ["pages/play.html", *PARTS]
    for _ in way:
        page.locator(".nav-page-next a").click()
        page.wait_for_load_state()
        passed.append(urlsplit(page.url).path.lstrip("/"))
    assert passed == way
    page.locator(".nav-page-previous a").click()
    page.wait_for_load_state()
    assert page.url.endswith(PARTS[-2])


def test_keyboard_reaches_the_parts_and_shows_where_it_is(open_page):
    page = open_page("index.html")
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate("document.activeElement.getAttribute('href') || ''")
        if focus.endswith("01-data.html"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    shadow = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
    assert focus.endswith("01-data.html")
    assert outline != "none" or shadow != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/01-data.html")


def test_tabs_of_the_page_in_r_change_together(open_page):
    page = open_page("pages/r.html")
    python = page.get_by_role("tab", name="Python")
    assert python.count() > 5
    code = page.locator("pre", has_text="import seaborn")
    assert not code.is_visible()
    python.nth(3).click()
    assert code.is_visible()


def test_notebook_is_there_to_download(open_page):
    page = open_page(PARTS[0])
    with page.expect_download() as download:
        page.get_by_text("Download the notebook").click()
    name = "notebooks/01-data.ipynb"
    assert download.value.path().read_bytes() == (ROOT / name).read_bytes()
    assert page.get_by_text("Open in").count() == 0, "no address is set"


def test_hosted_services_follow_from_the_address(open_page):
    """They come from the link to the source, as the renderers write it."""
    page = open_page(PARTS[0])
    page.evaluate(
        """() => {
        const link = document.createElement("a");
        link.className = "toc-action";
        link.href = "https://github.com/some/lecture/blob/main/notebooks/01-data.ipynb";
        document.body.appendChild(link);
        document.querySelector(".notebook-links").remove();
        }"""
    )
    script = (ROOT / "pages" / "links.html").read_text(encoding="utf-8")
    page.evaluate(re.search(r"<script>(.*)</script>", script, re.S).group(1))
    links = page.locator(".notebook-links a").evaluate_all("x => x.map(a => a.href)")
    assert links[1:] == [
        "https://colab.research.google.com/github/some/lecture/blob/main/notebooks/01-data.ipynb",
        "https://mybinder.org/v2/gh/some/lecture/main?urlpath=lab/tree/notebooks/01-data.ipynb",
        "https://codespaces.new/some/lecture",
    ]


@pytest.mark.parametrize("width", [1280, 768, 360])
@each_theme
def test_screenshots(width, theme, open_page):
    """Pictures of the front page, a part and the R page, to be looked at."""
    folder = ROOT / "_screenshots"
    for name in ("index.html", PARTS[2], "pages/r.html"):
        page = open_page(name, theme, width)
        path = folder / f"{name.split('/')[-1]}-{width}-{theme}.png"
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 20_000
