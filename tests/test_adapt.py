"""The page on another data set, followed word by word with the digits."""

import importlib.util
import json
import os
import re
import subprocess

import nbformat
import numpy as np
import pytest
from conftest import ROOT, git_environment, run

from helpers import DataError, Dataset, load_cifar100, load_data

PAGES_LEFT_OUT = r" +pre-render: .*\n| +- href: pages/(?:play|teach)\.qmd\n.*\n"


def test_digits_take_the_place_of_cifar_100(clone):
    if load_data is not load_cifar100:
        pytest.skip("another data set has taken its place already")
    page = (ROOT / "pages/adapt.qmd").read_text(encoding="utf-8")
    load, *blocks = re.findall(r"(?s)```python\n(.*?)\n```", page)[:3]
    for name, old, new in (
        ("helpers/data.py", "load_data = load_cifar100.*", load),
        ("_quarto.yml", PAGES_LEFT_OUT, ""),
    ):
        text = (clone / name).read_text(encoding="utf-8")
        text, changes = re.subn(old, new.replace("\\", r"\\"), text)
        assert changes > 0
        (clone / name).write_text(text, encoding="utf-8")
    for page in ("play", "teach"):
        (clone / f"pages/{page}.qmd").unlink()
    paths = [*sorted(clone.glob("notebooks/0[1-4]*.ipynb"))]
    notebook = nbformat.read(paths[1], as_version=4)
    first = re.compile(r"(?:#.*\n)*(.*?)(?: = |$)", re.M)  # what a cell defines
    cells = {first.match(c.source)[1]: c for c in notebook.cells}
    for block in blocks:
        cells[first.match(block)[1]].source = block
    nbformat.write(notebook, paths[1])
    export = ["-m", "tools.notebooks.export"]
    assert run(*export, cwd=clone, env=os.environ | {"PYTHONPATH": str(clone)})[0] == 0
    commit = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qam", "x"]
    subprocess.run(commit, cwd=clone, env=git_environment(), check=True)
    commands = [["-m", "tools.recording", "baseline", "--epochs", "2"]]
    # Parts 2 to 4 show colour photographs in some cells, as the page says.
    commands += [["-m", "tools.notebooks.execute", paths[0]]]
    if importlib.util.find_spec("smalldocs"):
        commands += [["-m", "tools.pages.fallback", clone]]
    for command in commands:
        environment = os.environ | {"PYTHONPATH": str(clone)}
        status, said = run(*command, cwd=clone, env=environment)
        assert status == 0, said
    kept = (next(at.glob("runs/baseline/*/run.json")) for at in (clone, ROOT))
    record, old = (json.loads(path.read_text(encoding="utf-8")) for path in kept)
    assert record["images"] == 1150 and record["epochs"] == 2
    assert not {*record["data_sha256"].values()} & {*old["data_sha256"].values()}
    text = paths[0].read_text(encoding="utf-8")
    asked = len(set(re.findall(r'check\(answer_\d+, \\"', text)))
    assert text.count('"answer": ') == asked > 0, "each has an answer of its own"
    assert "digits" in text


def test_data_of_another_form_is_one_sentence():
    images, labels = np.zeros((5, 8, 8, 1), np.uint8), np.zeros((5, 1), np.uint8)
    for pair in (images[..., 0], labels), (images / 255, labels), (images, labels[0]):
        with pytest.raises(DataError, match="use astype and reshape"):
            Dataset((images, labels), pair, ["one"], "some")
