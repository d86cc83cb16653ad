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


def test_wrong_images_are_refused():
    for shape in [(32, 32), (2, 32, 32, 4), (1, 2, 32, 32, 3)]:
        with pytest.raises(ValueError, match="expected \\(n, height, width\\)"):
            plot_images(np.zeros(shape), ["a"] * shape[0])
    for titles, columns in ([], 5), (["one"], 5), (["one", "two"], 0):
        with pytest.raises(ValueError, match="expected at least one of each"):
            plot_images(np.zeros((2, 8, 8)), titles, columns=columns)


def test_network_is_drawn_where_graphviz_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    model = run_cells("02-model.ipynb", "network")["build_model"]()
    image = plot_network(model)
    assert image.data.startswith(b"\x89PNG") and len(image.data) > 20_000
