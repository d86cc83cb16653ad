import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import plot_images, plot_network, run_cells

mpl.use("agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_images_stand_under_their_titles():
    images = np.zeros((7, 32, 32, 3), np.uint8)
    figure = plot_images(images, [f"maple_tree {n}" for n in range(7)], columns=5)
    assert len(figure.axes) == 10
    drawn = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in drawn] == [f"maple tree {n}" for n in range(7)]


@pytest.mark.parametrize("shape", [(32, 32), (2, 32, 32, 4), (1, 2, 32, 32, 3)])
def test_images_of_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match="expected \\(n, height, width\\)"):
        plot_images(np.zeros(shape), ["a"] * shape[0])


def test_missing_titles_are_refused():
    with pytest.raises(ValueError, match="2 images and 1 titles"):
        plot_images(np.zeros((2, 8, 8)), ["one"])


def test_network_is_drawn_where_graphviz_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    model = run_cells("02-model.ipynb", "network")["build_model"]()
    image = plot_network(model)
    assert image.data.startswith(b"\x89PNG") and len(image.data) > 20_000


def test_network_without_its_drawing_program_is_one_sentence(monkeypatch):
    monkeypatch.setattr("helpers.figures.shutil.which", lambda *_, **__: None)
    with pytest.raises(RuntimeError, match=r"graphviz-pure was not found.*install it"):
        plot_network(None)
