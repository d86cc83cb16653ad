"""The lecture in R: its network and training are those of Python, and its cells run."""

import re

import pytest
from conftest import ROOT, run
from jupyter_client.kernelspec import find_kernel_specs

from helpers import NoDataError, load_run
from helpers.data import data_folder
from helpers.export import NOTEBOOKS, exported_cells
from tools.recording.syntax import r_code


def layers_of(script):
    """Return the layers that a script names, with their arguments, in one spelling."""
    calls = re.findall(r"\blayers?[._](\w+)\((.*)\)", script)
    return [
        (name.lower().replace("_", ""), arguments.replace(" ", ""))
        for name, arguments in calls
    ]


def test_r_names_the_layers_of_the_notebook():
    r = r_code(NOTEBOOKS / "lecture-in-r.ipynb")
    python = "\n".join(exported_cells(NOTEBOOKS / "02-model.ipynb"))
    python = python.replace("data.num_classes", "100")
    assert len(layers_of(r)) == 13
    assert layers_of(r) == layers_of(python)
    assert "keras_model_sequential(input_shape = c(32, 32, 3)," in r


def test_training_in_r_is_that_in_python():
    r, python = load_run("r").record, load_run("baseline").record
    same = "seed images batch_size steps loss optimizer parameters multiply_adds epochs"
    for name in [*same.split(), "dtype_policy", "weights_sha256", "test"]:
        assert r[name] == python[name], name
    assert {"R", "keras3", "reticulate", *python["versions"]} == set(r["versions"])


def test_figures_in_r_have_the_colours_of_the_lecture(notebooks):
    [theme] = [
        cell.source
        for cell in notebooks["lecture-in-r.ipynb"].cells
        if "theme_set" in cell.source
    ]
    tokens = (ROOT / "pages" / "design" / "tokens.css").read_text(encoding="utf-8")
    light = re.search(r":root \{(.*?)^\}", tokens, re.M | re.S)[1]
    colours = dict(re.findall(r"--(\w+): (#\w{6})", light))
    series = [colours[name] for name in ("blue", "orange", "green")]
    assert re.findall("#[0-9a-f]{6}", theme)[:3] == series
    assert {*re.findall("#[0-9a-f]{6}", theme)} <= {*colours.values()}


def test_notebook_in_r_repeats_its_outputs(with_r, monkeypatch):
    if "ir" not in find_kernel_specs():
        pytest.skip("Jupyter has no kernel for R: the notebook in R is not run")
    try:
        data_folder(download=False)
        mode, stand_in = "--nbval", "never"
    except NoDataError:
        mode, stand_in = "--nbval-lax", "always"
    monkeypatch.setenv("CIFAR100_STAND_IN", stand_in)
    status, said = run("-m", "pytest", mode, "notebooks/lecture-in-r.ipynb", cwd=ROOT)
    assert status == 0, said
