"""The page on another data set, followed word by word with the digits."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from conftest import ROOT

from helpers import DataError, Dataset

PARTS = ("01-data", "02-model", "03-training", "04-testing")
RECORD = "runs/baseline/the-lecture-s-network-425/run.json"


def begins(code):
    """Return what the first statement of a cell defines."""
    first = next(line for line in code.splitlines() if not line.startswith("#"))
    return first.partition(" = ")[0]


def change(path, pattern, replacement):
    text = path.read_text(encoding="utf-8")
    text, changes = re.subn(pattern, lambda _: replacement, text)
    assert changes > 0
    path.write_text(text, encoding="utf-8")


def test_digits_take_the_place_of_cifar_100(clone):
    page = (ROOT / "pages/adapt.qmd").read_text(encoding="utf-8")
    load, *blocks = re.findall(r"(?s)```python\n(.*?)\n```", page)[:4]
    change(clone / "helpers/data.py", r"(?m)^load_data = .*", load)
    change(clone / "notebooks/04-testing.ipynb", '"dolphin', '"digit 8')
    path = clone / "notebooks/02-model.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cells = {begins(c.source): c for c in notebook.cells if c.cell_type == "code"}
    for block in blocks:
        cells[begins(block)].source = block
    nbformat.write(notebook, path)

    def run(*command):
        environment = os.environ | {"PYTHONPATH": str(clone)}
        subprocess.run(
            [sys.executable, *command], cwd=clone, env=environment, check=True
        )

    run("tools/record.py", "baseline", "--epochs", "2")
    record, old = (json.loads((at / RECORD).read_text()) for at in (clone, ROOT))
    assert record["images"] == 1150 and record["epochs"] == 2
    assert record["data_sha256"].keys() == old["data_sha256"].keys()
    assert not {*record["data_sha256"].values()} & {*old["data_sha256"].values()}
    for part in PARTS:
        run("tools/execute.py", f"notebooks/{part}.ipynb")
        text = (clone / "notebooks" / f"{part}.ipynb").read_text(encoding="utf-8")
        asked = len(set(re.findall(r"answer_\d+ = None", text)))
        assert text.count('"Right.') == asked and "Not yet" not in text
        assert "digits" in text or part == "02-model"
    if importlib.util.find_spec("smalldocs"):
        (clone / "pages/play.qmd").unlink()
        lines = r" +pre-render: .*\n| +- href: pages/play\.qmd\n.*\n"
        change(clone / "_quarto.yml", lines, "")
        run("tools/deck_page.py", "render", "-q", str(clone))
        pages = [clone / f"_site/notebooks/{part}.html" for part in PARTS]
        assert all("Right." in path.read_text(encoding="utf-8") for path in pages)


def test_data_of_another_form_is_one_sentence():
    images, labels = np.zeros((5, 8, 8, 1), np.uint8), np.zeros((5, 1), np.uint8)
    wrong = (images[..., 0], labels), (images / 255, labels), (images, labels[:, 0])
    for pair in wrong:
        with pytest.raises(DataError, match="use astype and reshape"):
            Dataset((images, labels), pair, ["one"], "some")
