"""The page in R beside the notebooks, and its code run where R and keras3 are."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from conftest import ROOT

from helpers import Cifar100, load_run, run_cells
from helpers.notebooks import cell_sources
from helpers.stand_in import draw_stand_in

PAGE = (ROOT / "pages" / "r.qmd").read_text(encoding="utf-8")
RSCRIPT = shutil.which("Rscript")
mpl.use("agg")
needs_r = pytest.mark.skipif(RSCRIPT is None, reason="Rscript is not at hand")


def code(language):
    """Return the page's blocks in one language as one script."""
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.S | re.M))


def one_epoch(script):
    """Return a script of the page that trains one epoch instead of 30."""
    shorter, changes = re.subn(r"^(epochs (?:=|<-)) 30$", r"\1 1", script, flags=re.M)
    assert changes == 1
    return shorter


def layers_of(script):
    """Return the layers that a script names, with their arguments, in one spelling."""
    calls = re.findall(r"\blayers?[._](\w+)\((.*)\)", script)
    return [
        (name.lower().replace("_", ""), arguments.replace(" ", ""))
        for name, arguments in calls
    ]


def run_r(script, folder, **variables):
    path = folder / "script.R"
    path.write_text(script, encoding="utf-8")
    return subprocess.run(
        [RSCRIPT, "--vanilla", path.name],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )


def test_r_names_the_layers_of_the_notebook():
    network = "\n".join(cell_sources("02-model.ipynb", "network"))
    layers = layers_of(code("r"))
    assert len(layers) == 13
    assert layers == layers_of(network)
    assert "Input(shape=(32, 32, 3))" in network
    assert "keras_model_sequential(input_shape = c(32, 32, 3)," in code("r")


def test_numbers_are_those_of_the_recorded_run():
    record = load_run("baseline").record
    by_hand = re.findall(r"^  (\([\d *+]+\) \* \d+),?$", code("r"), re.M)
    assert sum(eval(product) for product in by_hand) == record["parameters"]
    (compiled,) = re.findall(r"compile\((.*?)\n\)", code("r"), re.S)
    assert dict(re.findall(r'(\w+) = "(\w+)"', compiled)) == {
        "loss": record["loss"],
        "optimizer": record["optimizer"]["name"].replace("_", ""),
        "metrics": "accuracy",
    }


def test_python_is_that_of_the_notebooks(notebooks):
    """All but imports, and what is printed."""
    taught = set()
    for name in ["01-data", "02-model", "03-training", "04-testing"]:
        for cell in notebooks[f"{name}.ipynb"].cells:
            if cell.cell_type == "code" and not cell.source.startswith("%"):
                source = cell.source.replace("    callbacks=callbacks,\n", "")
                source = re.sub(r" if TRAIN_ALL_30_EPOCHS else [\w.]+", "", source)
                taught.update(map(ast.unparse, ast.parse(source).body))
    shown = [ast.unparse(node) for node in ast.parse(code("python")).body]
    shown = [line for line in shown if not re.match(r"from |import |print\(", line)]
    assert len(shown) > 15
    assert [line for line in shown if line not in taught] == []


@needs_r
def test_r_parses(tmp_path):
    (tmp_path / "page.R").write_text(code("r"), encoding="utf-8")
    result = run_r('invisible(parse("page.R", encoding = "UTF-8"))', tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def python_results():
    """What the page's Python comes to, after one epoch on stand-in images."""
    train, test, superclass_names, class_names = draw_stand_in(300, 100)
    data = Cifar100(train, test, class_names, superclass_names, None, "stand-in data")
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helpers.load_cifar100", lambda: data)
        exec(one_epoch(code("python")), names)
    plt.close("all")
    return names


def test_python_of_the_page_runs(python_results):
    network = run_cells("02-model.ipynb", "network")["build_model"]()
    assert python_results["model"].count_params() == network.count_params() == 964_516
    assert python_results["probabilities"].shape == (100, 100)


# Keras' own loader is replaced below R, so `dataset_cifar100` is that of keras3.
STAND_IN = """
import keras
from helpers.stand_in import draw_stand_in

train, test, *_ = draw_stand_in(300, 100)
keras.datasets.cifar100.load_data = lambda label_mode="fine": (train, test)
"""
RESULTS = """
results <- list(
  parameters = count_params(model),
  by_hand = sum(by_hand),
  shapes = lapply(model$layers, function(layer) layer$output$shape),
  images = dim(x_train),
  one_hot = dim(y_train_one_hot),
  history = dim(tidy),
  probabilities = dim(probabilities),
  predicted = range(predicted),
  first_image = probabilities[1, ],
  loss = score$loss
)
writeLines(reticulate::import("json")$dumps(results), "results.json")
"""


@pytest.fixture(scope="module")
def with_keras3(tmp_path_factory):
    """Variables with which R's keras3 runs on this Python; else the test is skipped."""
    if RSCRIPT is None:
        pytest.skip("Rscript is not at hand: the page's R is not run")
    variables = {
        "RETICULATE_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    script = 'if (!requireNamespace("keras3", quietly = TRUE)) quit(status = 3)'
    script += "\ninvisible(keras3::config_backend())"
    result = run_r(script, tmp_path_factory.mktemp("probe"), **variables)
    if result.returncode == 3:
        pytest.skip("the R package keras3 is not at hand: the page's R is not run")
    if result.returncode != 0:
        pytest.skip(f"R's keras3 does not start on this Python: {result.stderr[-300:]}")
    return variables


def test_r_of_the_page_comes_to_the_same(with_keras3, python_results, tmp_path):
    (tmp_path / "stand_in_data.py").write_text(STAND_IN, encoding="utf-8")
    before = 'reticulate::py_run_file("stand_in_data.py")\n'
    script = before + one_epoch(code("r")) + RESULTS
    result = run_r(script, tmp_path, **with_keras3)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    model = python_results["model"]
    shapes = [list(layer.output.shape) for layer in model.layers]
    assert found["parameters"] == found["by_hand"] == model.count_params() == 964_516
    assert found["shapes"] == shapes
    assert "by hand: 964516" in result.stdout and "keras3:  964516" in result.stdout
    assert found["images"] == [300, 32, 32, 3]
    assert found["one_hot"] == [300, 100]
    assert found["history"] == [4, 4]
    assert found["probabilities"] == [100, 100]
    assert 0 <= found["predicted"][0] <= found["predicted"][1] <= 99
    # The same seed gives the same weights and order: all is equal up to rounding.
    first = python_results["probabilities"][0].tolist()
    assert found["first_image"] == pytest.approx(first, rel=1e-3)
    assert found["loss"] == pytest.approx(python_results["loss"], rel=1e-5)
