"""The first cell for Google Colab."""

import os
import subprocess
import sys

import nbformat
import pytest
from conftest import NOTEBOOKS, load_tool
from nbclient import NotebookClient

colab = load_tool("colab")


def test_cell_comes_and_goes_with_the_address_and_leaves_the_rest():
    for path in (path for path in NOTEBOOKS if path.stem != "lecture-in-r"):
        committed = nbformat.read(path, as_version=4)
        text = nbformat.writes(committed)
        ours = nbformat.writes(colab.with_cell(committed, colab.address()))
        assert text == ours, "run tools/colab.py"
        once = colab.with_cell(nbformat.reads(text, 4), "https://example.org/some")
        twice = colab.with_cell(once, "https://example.org/x")
        first, second = [c for c in twice.cells if c.cell_type == "code"][:2]
        assert 'address = "https://example.org/x"' in first.source
        assert [first.execution_count, second.execution_count] == [1, 2]
        assert nbformat.writes(colab.with_cell(twice, colab.address())) == text


def test_cell_does_nothing_elsewhere(tmp_path):
    program = "import os, sys; before = os.getcwd(), list(sys.path)\n"
    program += colab.source("https://example.org/some/where")
    program += "\nassert (os.getcwd(), sys.path) == before"
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    command = [sys.executable, "-c", program]
    subprocess.run(command, env={**os.environ, **home}, cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="Colab runs on Linux")
def test_notebook_alone_runs_on_colab(clone, tmp_path, monkeypatch):
    for folder in ("content", "home", "colab"):
        (tmp_path / folder).mkdir()
    colab_is_there = "import sys; sys.modules['google.colab'] = sys"
    (tmp_path / "colab" / "sitecustomize.py").write_text(colab_is_there)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "colab"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CIFAR100_STAND_IN", "always")
    notebook = nbformat.read(clone / "notebooks" / "02-model.ipynb", as_version=4)
    notebook = colab.with_cell(notebook, clone.as_uri())
    where = nbformat.v4.new_code_cell("import helpers; print(helpers.__file__)")
    notebook.cells.append(where)
    folder = {"metadata": {"path": tmp_path / "content"}}
    NotebookClient(notebook, resources=folder, kernel_name="python3").execute()
    found = where.outputs[0].text.strip()
    assert found == str(tmp_path / "home/lecture/helpers/__init__.py")
    assert not list((tmp_path / "content").iterdir())
