"""The first cell for Google Colab, in an imitation of what Colab gives a notebook."""

import os
import subprocess
import sys

import nbformat
import pytest
from conftest import NOTEBOOKS, ROOT, load_tool
from nbclient import NotebookClient

# Colab imports its own package before the first cell, and has no `helpers`.
COLAB = """
import sys
import google.colab
class NoHelpers:
    def find_spec(name, path=None, target=None):
        places = [place for place in sys.path if place.endswith("lecture")]
        if name == "helpers" and not places:
            raise ModuleNotFoundError("No module named 'helpers'", name="helpers")
sys.meta_path.insert(0, NoHelpers)
"""


@pytest.fixture
def colab():
    return load_tool("colab")


def test_cell_is_there_where_the_address_is_set(colab):
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        tagged = [c for c in notebook.cells if "colab" in c.metadata.get("tags", [])]
        expected = [colab.source(colab.address())] if colab.address() else []
        assert [cell.source for cell in tagged] == expected, "run make colab"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_cell_comes_and_goes_and_leaves_the_rest(path, colab):
    def written(notebook):
        return nbformat.writes(notebook)

    stored = colab.with_cell(nbformat.read(path, as_version=4), None)
    original = written(stored)
    once = written(colab.with_cell(stored, "https://example.org/some/where"))
    twice = colab.with_cell(nbformat.reads(once, as_version=4), "https://example.org/x")
    first, second = [c for c in twice.cells if c.cell_type == "code"][:2]
    assert 'address = "https://example.org/x"' in first.source
    assert [first.execution_count, second.execution_count] == [1, 2]
    assert written(colab.with_cell(twice, None)) == original != once


def test_cell_keeps_the_form_of_the_notebooks(colab, tmp_path):
    cell = nbformat.v4.new_code_cell(colab.source("https://github.com/some/where"))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, tmp_path / "some.ipynb")
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--diff"]
    config = f"--config={ROOT / 'notebooks' / 'ruff.toml'}"
    subprocess.run([*ruff, config, tmp_path / "some.ipynb"], check=True)


def test_cell_does_nothing_elsewhere(colab, tmp_path):
    program = "import os, sys; before = os.getcwd(), list(sys.path)\n"
    program += colab.source("https://example.org/some/where")
    program += "\nassert (os.getcwd(), sys.path) == before"
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-c", program]
    subprocess.run(command, env={**os.environ, **home}, cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="Colab runs on Linux")
@pytest.mark.parametrize("set_up", [False, True], ids=["without the cell", "with it"])
def test_notebook_alone_runs_on_colab(set_up, colab, clone, tmp_path, monkeypatch):
    alone = tmp_path / "content"
    for folder in (alone, tmp_path / "home", tmp_path / "fake/google/colab"):
        folder.mkdir(parents=True)
    (tmp_path / "fake/google/colab/__init__.py").touch()
    (tmp_path / "fake/sitecustomize.py").write_text(COLAB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CIFAR100_STAND_IN", "always")
    notebook = nbformat.read(clone / "notebooks" / "02-model.ipynb", as_version=4)
    address = clone.as_uri() if set_up else None
    notebook = colab.with_cell(notebook, address)
    where = nbformat.v4.new_code_cell("import helpers; print(helpers.__file__)")
    notebook.cells.append(where)
    client = NotebookClient(
        notebook, resources={"metadata": {"path": alone}}, kernel_name="python3"
    )
    if not set_up:
        with pytest.raises(Exception, match="No module named 'helpers'"):
            client.execute()
        return
    client.execute()
    found = where.outputs[0].text.strip()
    assert found == str(tmp_path / "home/lecture/helpers/__init__.py")
    assert not list(alone.iterdir())
