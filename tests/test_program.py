"""The whole program of one page: it runs, and it is what the lecture explains."""

import ast
import inspect
import runpy
import sys

import numpy as np
import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from PIL import Image

from helpers.data import SUPERCLASSES, Dataset
from helpers.recipes import build_model, keras, train_model

PROGRAM = ROOT / "lecture.py"


def small_cifar100():
    """Return arrays in the shapes of CIFAR-100, of few images."""
    rng = np.random.default_rng(425)
    images = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 100, (60, 1), dtype=np.uint8)
    return (images[:40], labels[:40]), (images[40:], labels[40:])


@pytest.fixture
def started(monkeypatch, tmp_path, capsys):
    """Return a function that runs the program; it returns its names and its output."""
    monkeypatch.setattr(keras.datasets.cifar100, "load_data", small_cifar100)
    monkeypatch.chdir(tmp_path)

    def start(*options):
        monkeypatch.setattr(sys, "argv", ["lecture.py", *options])
        names = runpy.run_path(str(PROGRAM), run_name="__main__")
        return names, capsys.readouterr().out

    return start


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The names of the program after one epoch, without a photo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.datasets.cifar100, "load_data", small_cifar100)
        patch.chdir(tmp_path_factory.mktemp("trained"))
        patch.setattr(sys, "argv", ["lecture.py", "--epochs", "1"])
        return runpy.run_path(str(PROGRAM), run_name="__main__")


def test_trains_saves_loads_and_names_a_photo(started, tmp_path):
    Image.new("RGB", (300, 200), "red").save(tmp_path / "photo.png")
    names, said = started("--epochs", "1", "--image", "photo.png")
    assert "val_accuracy: " in said and "Test accuracy: " in said
    assert names["image"].shape == (32, 32, 3)
    assert names["image"].reshape(-1, 3).tolist() == [[255, 0, 0]] * 1024

    best = said.splitlines()[-5:]
    assert all(line.split()[0] in names["NAMES"] for line in best)
    shares = [int(line.split()[1].rstrip("%")) for line in best]
    assert shares == sorted(shares, reverse=True)

    saved = keras.saving.load_model(tmp_path / "lecture.keras")
    predicted = saved.predict(names["image"][None], verbose=0)[0]
    np.testing.assert_allclose(predicted, names["probabilities"], atol=1e-6)
    assert names["NAMES"] == sorted(" ".join(SUPERCLASSES.values()).split())


def test_without_a_photo_it_names_the_first_test_image(trained):
    assert (trained["image"] == small_cifar100()[1][0][0]).all()


def test_a_photo_that_is_not_there_is_missed_before_the_training(started, capsys):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        started("--epochs", "1", "--image", "nowhere.png")
    assert "accuracy" not in capsys.readouterr().out


def test_its_network_is_that_of_part_2(trained):
    def described(model):
        """Return the layers with their options, without their names."""
        return [
            (type(layer).__name__, layer.get_config() | {"name": None})
            for layer in model.layers
        ]

    model = trained["model"]
    lecture = build_model(Dataset(*small_cifar100(), trained["NAMES"], "small"))
    assert described(model) == described(lecture)
    assert model.count_params() == lecture.count_params()


def test_it_trains_the_network_of_part_3(started):
    """The same seed, images and options leave the same weights."""
    names, _ = started("--epochs", "2")
    data = Dataset(*small_cifar100(), names["NAMES"], "small")
    lecture, _ = train_model(data, seed=425, epochs=2)
    for mine, theirs in zip(
        names["model"].get_weights(), lecture.get_weights(), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def options_of(call, source):
    """Return the options with which some source calls compile or fit."""
    [found] = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"model.{call}"
    ]
    return {word.arg: ast.unparse(word.value) for word in found.keywords}


def test_it_compiles_and_fits_as_part_3():
    program = PROGRAM.read_text(encoding="utf-8")
    part_3 = inspect.getsource(train_model)
    assert options_of("compile", program) == options_of("compile", part_3)
    fit, lecture = options_of("fit", program), options_of("fit", part_3)
    for option in ("batch_size", "validation_split"):
        assert fit[option] == lecture[option]
    assert fit["epochs"] == "options.epochs"
    default = inspect.signature(train_model).parameters["epochs"].default
    assert f'"--epochs", type=int, default={default}' in program
    assert "set_random_seed(425)" in program


def test_the_page_shows_the_file():
    page = ROOT / "_site" / "pages" / "program.html"
    if not page.exists():
        pytest.skip("there is no page to test: run make site first")
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    shown = [block.get_text().strip() for block in soup.select("main pre")]
    assert PROGRAM.read_text(encoding="utf-8").strip() in shown
