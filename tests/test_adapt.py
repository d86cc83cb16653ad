"""The page on another data set, followed word by word with the digits."""

import json
import os
import re
import shutil
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


def test_digits_take_the_place_of_cifar_100(tmp_path):
    page = (ROOT / "pages/adapt.qmd").read_text(encoding="utf-8")
    load, *cells = re.findall(r"(?s)```python\n(.*?)\n```", page)[:4]
    for name in ("helpers", "notebooks", "runs", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    module = tmp_path / "helpers/data.py"
    code, replaced = re.subn(
        r"(?m)^load_data = .*", lambda _: load, module.read_text(encoding="utf-8")
    )
    assert replaced == 1
    module.write_text(code, encoding="utf-8")
    for part in PARTS:
        path = tmp_path / "notebooks" / f"{part}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
            cell.source = cell.source.replace('"dolphin"', '"digit 8"')
            for block in cells if part == "02-model" else ():
                if begins(cell.source) == begins(block):
                    cell.source = block
        nbformat.write(notebook, path)

    def run(*command):
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, check=True
        )

    run("tools/record.py", "baseline", "--epochs", "2")
    record, old = (json.loads((at / RECORD).read_text()) for at in (tmp_path, ROOT))
    assert record["images"] == 1150 and record["epochs"] == 2
    assert record["data_sha256"].keys() == old["data_sha256"].keys()
    assert not {*record["data_sha256"].values()} & {*old["data_sha256"].values()}
    for part in PARTS:
        run("tools/execute.py", f"notebooks/{part}.ipynb")
        text = (tmp_path / "notebooks" / f"{part}.ipynb").read_text(encoding="utf-8")
        asked = len(set(re.findall(r"answer_\d+ = None", text)))
        assert text.count('"Right.') == asked and "Not yet" not in text
        assert "digits" in text or part == "02-model"


def test_data_of_another_form_is_one_sentence():
    images, labels = np.zeros((5, 8, 8, 1), np.uint8), np.zeros((5, 1), np.uint8)
    wrong = (images[..., 0], labels), (images / 255, labels), (images, labels[:, 0])
    for pair in wrong:
        with pytest.raises(DataError, match="use astype and reshape"):
            Dataset((images, labels), pair, ["one"], "some")
