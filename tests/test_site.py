import base64
import itertools
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import NOTEBOOKS, ROOT, load_tool, skip_module_without_site

skip_module_without_site()

SITE = ROOT / "_site"
SOURCES = [ROOT / "index.qmd", *NOTEBOOKS, *sorted(ROOT.glob("pages/*.qmd"))]
if not load_tool("render").quarto():  # which makes slides of it, tested by themselves
    SOURCES.append(ROOT / "slides" / "index.qmd")
PAGES = [SITE / path.relative_to(ROOT).with_suffix(".html") for path in SOURCES]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def soup(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@each_page
def test_page_is_there_with_title_language_and_one_main_heading(page):
    html = soup(page)
    assert html.html["lang"] == "en"
    assert len(html.title.get_text(strip=True)) > 10
    assert len(html.main.find_all("h1")) == 1


@each_page
def test_headings_are_in_order(page):
    levels = [int(h.name[1]) for h in soup(page).main.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    for above, below in itertools.pairwise(levels):
        assert below <= above + 1


@each_page
def test_links_inside_the_site_lead_somewhere(page):
    followed = 0
    for tag in soup(page).find_all(["a", "link", "script", "img"]):
        link = tag.get("href") or tag.get("src") or ""
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), f"{page.name}: {link}"
        if parts.fragment and target.suffix == ".html":
            ids = {t["id"] for t in soup(target).find_all(id=True)}
            assert unquote(parts.fragment) in ids, f"{page.name}: {link}"
        followed += 1
    assert followed > 5


def test_address_of_the_repository_makes_the_links(clone):
    config = clone / "_quarto.yml"
    text = config.read_text("utf-8")
    text, lines = re.subn(r"# (repo-(url|actions):)", r"\1", text)
    config.write_text(text, "utf-8")
    assert lines == 2, "set already"
    command = [sys.executable, clone / "tools" / "render.py"]
    subprocess.run(command, check=True, capture_output=True)
    page = soup(clone / "_site" / "notebooks" / "01-data.html")
    links = [link["href"] for link in page.select("a.toc-action")]
    source = "https://github.com/OWNER/REPOSITORY/blob/main/notebooks/01-data.ipynb"
    assert source in links, "pages/links.html makes the other links of it"


@each_page
def test_every_image_has_alternative_text(page):
    for image in soup(page).main.find_all("img"):
        assert len(image.get("alt", "")) > 20, f"{page.name}: {str(image)[:80]}"


@each_page
def test_no_markup_is_left_over(page):
    main = soup(page).main
    assert "#|" not in main.get_text()
    for tag in main.find_all(["pre", "code", "script", "style"]):
        tag.decompose()
    left = re.search(r":::|@fig-|@tbl-|\{\{<|\{#|\]\(|\*\*|fig-cap", main.get_text())
    assert left is None, f"{page.name}: {left}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_figures_and_outputs_of_the_notebook_are_on_its_page(path):
    main = soup(SITE / "notebooks" / f"{path.stem}.html").main
    shown = set()
    for image in main.find_all("img"):
        source = image["src"]
        if source.startswith("data:"):
            shown.add(base64.b64decode(source.split(",", 1)[1]))
        else:
            shown.add((SITE / "notebooks" / unquote(source)).resolve().read_bytes())
    text = re.sub(r"\s+", " ", main.get_text())
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert base64.b64decode(output.data["image/png"]) in shown
                caption = re.search(r'fig-cap: "(.+)"', cell.source).group(1)
                assert caption in text
            elif output.output_type == "stream":
                assert re.sub(r"\s+", " ", output.text).strip() in text


@each_page
def test_browser_shows_the_page_without_the_internet(page, tmp_path):
    """No error on the console, and nothing missing that comes from another host."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not at hand: the pages are not opened in a browser")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--disable-background-networking", "--disable-component-update"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr"]
    command += [f"--user-data-dir={tmp_path}", "--allow-file-access-from-files"]
    result = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert BeautifulSoup(result.stdout, "html.parser").main.h1.get_text(strip=True)
    console = [line for line in result.stderr.splitlines() if ":CONSOLE" in line]
    assert console == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_quarto_numbers_the_figures(path):
    page = SITE / "notebooks" / f"{path.stem}.html"
    if "smalldocs" in page.read_text(encoding="utf-8"):
        pytest.skip("Quarto is not at hand: smalldocs does not number figures")
    captions = [
        tag.get_text().strip() for tag in soup(page).main.find_all("figcaption")
    ]
    assert captions
    for number, caption in enumerate(captions, start=1):
        assert re.match(rf"Figure\s{number}: \w", caption)
