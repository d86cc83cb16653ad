"""What stands in the rendered pages."""

import functools
import os
import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import LECTURE, SITE, git_environment, rendered_pages, run

QUARTO, PAGES = rendered_pages()
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def soup(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def ids(page):
    return {tag["id"] for tag in soup(page).find_all(id=True)}


@each_page
def test_links_inside_the_site_lead_somewhere(page):
    followed = set()
    for tag in soup(page).find_all(["a", "link", "script", "img"]):
        link = tag.get("href") or tag.get("src") or ""
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), f"{page.name}: {link}"
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in ids(target), f"{page.name}: {link}"
        followed.add(target)
    lost = [other.name for other in PAGES if other not in followed]
    assert lost == [], "name them in the sidebar in _quarto.yml"


def test_an_old_address_leads_to_its_new_page():
    old = {
        name: source.with_suffix(".html").name
        for source in LECTURE.glob("pages/*.qmd")
        for block in re.findall(
            r"^aliases:\n((?: +- .*\n)+)", source.read_text("utf-8"), re.M
        )
        for name in re.findall(r"- (\S+)", block)
    }
    for name, new in old.items():
        assert new in (SITE / "pages" / name).read_text(encoding="utf-8"), name


def test_addresses_make_the_links_and_the_card_and_git_sees_no_page(clone, tmp_path):
    """Rendered on a machine without the data, which is said in a line."""
    config = clone / "_quarto.yml"
    text = re.sub(r"# (repo-|site-)", r"\1", config.read_text("utf-8"))
    text = re.sub("github.com/.*", "github.com/OWNER/REPOSITORY", text)
    text = re.sub("site-url: .*", "site-url: https://OWNER.github.io/REPOSITORY", text)
    config.write_text(text, "utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CIFAR100_")}
    without_data = {**kept, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    status, said = run("-m", "tools.pages.render", cwd=clone, env=without_data)
    assert status == 0, said
    assert not re.search("warn|error|fatal", said, re.I), said
    if not QUARTO:
        assert len(said.splitlines()) <= 3, "too much for somebody who is new here"
    if sys.platform == "linux":
        assert "no test images: `make data` brings them" in said
    status = ["git", "status", "--porcelain"]
    changed = subprocess.check_output(status, cwd=clone, env=git_environment())
    assert changed == b" M _quarto.yml\n"
    page = soup(clone / "_site" / "notebooks" / "01-data.html")
    links = [link["href"] for link in page.select("a.toc-action")]
    source = "https://github.com/OWNER/REPOSITORY/blob/main/notebooks/01-data.ipynb"
    assert source in links, "pages/links.html makes the other links of it"
    card = page.find("meta", property="og:image")["content"]
    assert card == "https://OWNER.github.io/REPOSITORY/images/card.png"
    assert (clone / "_site" / "images" / "card.png").is_file()


@each_page
def test_no_markup_is_left_over(page):
    main = soup(page).main
    cells = main.select(".cell")
    assert cells or page.parent.name != "notebooks", "no cell was found"
    assert not any("#|" in cell.get_text() for cell in cells)
    for tag in main.find_all(["pre", "code", "script", "style"]):
        tag.decompose()
    left = r"^:::|@fig-|@tbl-|\{\{<|\{#|\]\(|\*\*|fig-cap"
    assert re.findall(left, main.get_text(), re.M) == [], page.name
