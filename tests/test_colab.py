"""The first cell for Google Colab."""

import os

import nbformat
import pytest
from conftest import NOTEBOOKS, run

from tools.editions import colab


def test_cell_comes_and_goes_with_the_address_and_leaves_the_rest():
    for path in (path for path in NOTEBOOKS if path.stem != "lecture-in-r"):
        text = nbformat.writes(nbformat.read(path, as_version=4))
        ours = colab.with_cell(nbformat.reads(text, 4), colab.address())
        fitting = text == nbformat.writes(ours)
        assert fitting, f"{path.name}: run .venv/bin/python -m tools.editions.colab"
        once = colab.with_cell(ours, "https://example.org/some")
        twice = colab.with_cell(once, "https://example.org/x")
        first, second = [c for c in twice.cells if c.cell_type == "code"][:2]
        assert 'address = "https://example.org/x"' in first.source
        assert [first.execution_count, second.execution_count] == [1, 2]
        assert nbformat.writes(colab.with_cell(twice, colab.address())) == text


@pytest.mark.skipif(os.name != "posix", reason="Colab runs on Linux")
def test_cell_brings_the_lecture_to_colab_and_does_nothing_elsewhere(clone, tmp_path):
    for folder in ("home", "content"):
        (tmp_path / folder).mkdir()
    where = {
        "cwd": tmp_path / "content",
        "env": os.environ | {"HOME": tmp_path / "home"},
    }
    cell = f"\n{colab.source(clone.as_uri())}\n"
    before = "import os, sys; before = os.getcwd(), list(sys.path)"
    program = f"{before}{cell}assert (os.getcwd(), sys.path) == before"
    assert run("-c", program, **where) == (0, "")
    assert not list((tmp_path / "home").iterdir())
    there = "import sys; sys.modules['google.colab'] = sys"
    _, said = run(
        "-c", f"{there}{cell}import helpers; print(helpers.__file__)", **where
    )
    assert said.strip() == str(tmp_path / "home/lecture/helpers/__init__.py")
    assert not list((tmp_path / "content").iterdir())
