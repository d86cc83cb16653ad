from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from helpers import folded_table, name_lines, plot_images, plot_network

mpl.use("agg")


def test_images_stand_under_their_titles():
    for channels in ((), (1,), (3,)):
        images = np.zeros((7, 8, 8, *channels), np.uint8)
        figure = plot_images(images, [f"maple_tree {n}" for n in range(7)], columns=5)
        assert len(figure.axes) == 10
        side = mpl.rcParams["axes.titlelocation"]  # the lecture's style has it left
        drawn = [ax.get_title(loc=side) for ax in figure.axes if ax.images]
        assert drawn == [f"maple tree {n}" for n in range(7)]


def test_wrong_images_are_refused():
    wrong = [((8, 8), 8, 5), ((2, 8, 8, 4), 2, 5), ((1, 2, 8, 8, 3), 1, 5)]
    wrong += [((2, 8, 8), 0, 5), ((2, 8, 8), 1, 5), ((2, 8, 8), 2, 0)]
    for shape, titles, columns in wrong:
        with pytest.raises(ValueError, match="pass a batch"):
            plot_images(np.zeros(shape), ["a"] * titles, columns=columns)


def test_lines_without_a_name_are_left_unnamed():
    figure, ax = mpl.pyplot.subplots()
    for end in (0.5, 0.5, 0.9):
        ax.plot([0, 1], [0, end])
    name_lines(ax, [None, "small", "large"])
    assert [text.get_text() for text in ax.texts] == ["small", "large"]
    mpl.pyplot.close(figure)


def test_table_is_folded_below_a_figure():
    table = pd.DataFrame({"a<b": [0.25, None]}, index=["one", "two"])
    shown = BeautifulSoup(folded_table(table, "In <numbers>").data, "html.parser")
    assert shown.details.summary.text == "In <numbers>"
    assert [cell.text for cell in shown.details.table("th")] == [
        "",
        "a<b",
        "one",
        "two",
    ]
    assert [cell.text for cell in shown.details.table("td")] == ["0.25", ""]


def test_network_is_drawn_where_graphviz_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    from helpers.recipes import build_model

    data = SimpleNamespace(image_shape=(32, 32, 3), num_classes=100)
    image = plot_network(build_model(data))
    assert image.data.startswith(b"\x89PNG") and len(image.data) > 20_000
