"""The quizzes: one file of plain data, from which the cells of the notebooks follow."""

import re

import nbformat
import pytest
from conftest import ROOT, run
from nbformat.v4 import new_markdown_cell, new_notebook

from tools.notebooks import quizzes

TEXT = """
01-small:
  size:
    question: How many?
    options:
      - text: "`x * 2`"
        right: true
        why: It doubles.
      - text: A <b> & $c_1$
        why: No.
      - text: "3"
        why: Neither.
"""


def small_notebook(mark="<!-- quiz: size -->", tagged=("quiz",)):
    return new_notebook(cells=[new_markdown_cell(mark, metadata={"tags": [*tagged]})])


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The quizzes of a small notebook, in a folder of their own."""
    path = tmp_path / "quizzes.yml"
    path.write_text(TEXT, encoding="utf-8")
    nbformat.write(small_notebook(), tmp_path / "01-small.ipynb")
    monkeypatch.setattr(quizzes, "QUIZZES", path)
    return path


def test_cells_are_as_the_file_says_and_each_quiz_stands_once_in_its_notebook(
    notebooks,
):
    """Two writers change them: what one of them changed by hand would be lost."""
    parts = quizzes.read_quizzes()
    for name, notebook in notebooks.items():
        part = name.removesuffix(".ipynb")
        before = [cell.source for cell in notebook.cells]
        assert quizzes.filled(notebook, part, parts.get(part, {})) == []
        assert [cell.source for cell in notebook.cells] == before, (
            f"{name} differs from the file: run python -m tools.notebooks.quizzes"
        )
    assert {f"{part}.ipynb" for part in parts} <= set(notebooks)


def test_command_fills_a_cell_and_leaves_the_rest(small, capsys):
    notebook = small.with_name("01-small.ipynb")
    quizzes.main()
    assert "were filled" in capsys.readouterr().out
    once = notebook.read_bytes()
    text = nbformat.read(notebook, as_version=4).cells[0].source
    assert text.startswith("<!-- quiz: size -->\n\n**Quiz: How many?**\n")
    assert text.count("<details ") == text.count("</details>") == 3
    assert "<summary>A. <code>x &#42; 2</code></summary>\n\n**Right.** It d" in text
    assert "B. A &lt;b&gt; &amp; &#36;c&#95;1&#36;</summary>\n\n**Not quite.**" in text
    quizzes.main()
    assert (capsys.readouterr().out, notebook.read_bytes()) == ("", once)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("        right: true\n", "", "has 0 right options, expected one"),
        ("why: No.", "why: No.\n        right: true", "has 2 right options"),
        ("why: No.", "why: No.\n        right: maybe", "not true: leave it out"),
        ("        why: Neither.\n", "", "does not say why of the option '3'"),
        ('"3"', "3", "without a text; numbers need quotation marks"),
        ("why: No.", "because: No.", "other entries than text, right and why"),
        ('      - text: "3"\n        why: Neither.\n', "", "has not 3 or 4 options"),
        ("question: How many?", "question: ''", "has no text as its question"),
        ("question:", "asked:", "expected these two entries"),
        ("question: How many?", "question: So: how?", "is no YAML in line 4"),
    ],
)
def test_fault_in_the_file_is_one_sentence_and_changes_nothing(small, old, new, said):
    text = small.read_text(encoding="utf-8")
    assert old in text
    small.write_text(text.replace(old, new), encoding="utf-8")
    before = small.with_name("01-small.ipynb").read_bytes()
    with pytest.raises(SystemExit, match=re.escape(said)):
        quizzes.main()
    assert small.with_name("01-small.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (small_notebook("<!-- quiz: other -->"), "shows other, which quizzes.yml"),
        (small_notebook("What?"), "names no quiz"),
        (small_notebook(tagged=()), "the cell of size has no tag quiz"),
        (new_notebook(), "shows size 0 times, expected once"),
    ],
)
def test_cell_and_file_that_do_not_fit_together_are_named(small, cells, said):
    nbformat.write(cells, small.with_name("01-small.ipynb"))
    with pytest.raises(SystemExit, match=said):
        quizzes.main()


def test_make_notebooks_fills_them():
    status, said = run("-m", "tools.notebooks.quizzes", cwd=ROOT)
    assert (status, said) == (0, "")
    assert "tools.notebooks.quizzes" in (ROOT / "Makefile").read_text(encoding="utf-8")
