"""What is added to smalldocs, where Quarto is not at hand; and who calls it alone."""

import sys

import nbformat
import pytest
from conftest import ROOT, run

from tools.common.markdown import without_divs, without_links

DIVS = """\
Before.

::: {.notes}
Said only.

:::: {.columns}
In columns.
::::

Said, too.
:::

::: {.other}
After.
:::
"""


@pytest.fixture
def site(tmp_path):
    """What was said while a small project was rendered, and its pages."""
    pytest.importorskip("smalldocs", reason="smalldocs needs Python 3.11")
    cell = nbformat.v4.new_code_cell(
        "# | label: shown\n#| echo: true\nprint(1)  # | not an option", id="one"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / "a.ipynb")
    embed = "\n{{< embed /notebooks/a.ipynb#shown >}}\n"
    slides = "\n## Two\n\n- Asked\n\n. . .\n\nAnswered\n\n## Three\n\nNever folded\n"
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "index.qmd").write_text(f"# One\n\n{DIVS}{embed}{slides}")
    config = "project:\n  type: website\nwebsite:\n  title: T\n  mistyped: 1\n"
    config += "format:\n  html:\n    filters: [a.lua]\n    html-math-method: mathml\n"
    (tmp_path / "_quarto.yml").write_text(config)
    status, said = run("-m", "tools.pages.fallback", tmp_path, cwd=ROOT)
    assert status == 0, said
    return said, tmp_path / "_site"


def test_only_warnings_that_say_something_are_shown(site):
    said, _ = site
    assert said.splitlines() == ["warning: unknown key website.mistyped"]


def test_options_may_be_written_as_black_does(site):
    page = (site[1] / "notebooks" / "a.html").read_text(encoding="utf-8")
    assert 'id="shown"' in page and "# | label" not in page
    assert "not an option" in page


def test_slides_lose_their_notes_and_fold_what_comes_after_a_pause(site):
    page = (site[1] / "slides" / "index.html").read_text(encoding="utf-8")
    assert "Said" not in page and "After." in page
    assert 'id="shown"' in page, "the embed"
    folded = page.partition("<details>")[2].partition("</details>")[0]
    assert "Answered" in folded and "Asked" not in folded
    assert page.count("<details>") == 1 and "Never folded" in page


def test_divs_go_with_what_stands_in_them():
    assert without_divs(DIVS, ".notes") == "Before.\n\n\n::: {.other}\nAfter.\n:::\n"
    assert without_divs(DIVS, ".unknown") == DIVS


def test_links_to_what_is_gone_become_words_and_paragraphs_of_nothing_else_go():
    text = "One [two](../pages/a.qmd#b).\n\n[This](../pages/a.qmd#c).\n\nThree.\n\n"
    text += "[Last](a.qmd)."
    assert without_links(text, ["pages/a.qmd"]) == "One two.\n\nThree."
    assert without_links(text, ["pages/b.qmd"]) == text


def test_quarto_without_the_packages_of_the_lecture_is_one_sentence():
    status, said = run("-I", "-S", ROOT / "tools" / "pages" / "prepare.py")
    assert status == 1
    assert said.startswith(f"Not rendered: {sys.executable} has no ")
    assert len(said.splitlines()) == 1 and "`make site` renders" in said
