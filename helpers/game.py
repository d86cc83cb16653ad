"""The game that opens the lecture: a reader names test images, and so does a network.

What the network computes stands in the notebook. Here is what would distract there:
drawing lots, reading names that were typed, and counting.
"""

import html
import math
import textwrap
from typing import NamedTuple

import numpy as np
import pandas as pd
from IPython.display import HTML

from helpers.exercises import Verdict


class Game(NamedTuple):
    """Images to name, and the names to choose from."""

    images: np.ndarray  # (n, height, width, channels), uint8
    labels: np.ndarray  # (n,): the right class of each image
    choices: np.ndarray  # the classes that may be named, in alphabetical order
    class_names: list  # of all classes


def deal(data, seed, images=10, choices=20):
    """Return a game: images of different classes, drawn by lot.

    Parameters
    ----------
    data : Dataset
        What `load_data` returns.
    seed : int
        Another seed deals another game.
    images : int, default 10
        How many images; the first test image of each class that was drawn.
    choices : int, default 20
        How many names may be chosen from: those of the images, and others that were
        drawn with them. There are at most as many as the data has classes.
    """
    rng = np.random.default_rng(seed)
    size = min(choices, data.num_classes)
    drawn = rng.choice(data.num_classes, size, replace=False)
    x_test, y_test = data.test
    labels = drawn[:images]
    first = [np.flatnonzero(y_test[:, 0] == label)[0] for label in labels]
    return Game(x_test[first], labels, np.sort(drawn), data.class_names)


def list_names(game):
    """Return the names to choose from, as text."""
    return _said(", ".join(_plain(game.class_names[c]) for c in game.choices))


def compare(game, typed, predicted):
    """Return how many images the reader and the network got right.

    Parameters
    ----------
    game : Game
        What `deal` returns.
    typed : str
        The reader's names, separated by commas; "?" stands for an image skipped.
    predicted : array of int
        The network's class for each image.

    Returns
    -------
    pandas.DataFrame or Verdict
        A row each with the number of right names and the range that it leaves for the
        accuracy on many images; or a sentence, if the names cannot be used.
    """
    if not typed.strip():
        return _said(
            f"Your turn: type {len(game.labels)} names with commas between them, and"
            " run this again."
        )
    numbers = {_plain(game.class_names[c]): c for c in game.choices} | {"?": -1}
    names = [_plain(name) for name in typed.strip().strip(",").split(",")]
    for name in names:
        if name not in numbers:
            return _said(
                f'"{name}" is not on the list: type a name as it stands there, or ? to'
                " skip an image."
            )
    if len(names) != len(game.labels):
        return _said(
            f"You typed {len(names)} names, expected {len(game.labels)}: one for each"
            " image, with commas between them, and ? for one that you skip."
        )
    mine = np.array([numbers[name] for name in names])
    rows = {}
    for who, answers in [("you", mine), ("network", np.asarray(predicted))]:
        right = int((answers == game.labels).sum())
        low, high = likely_range(right, len(game.labels))
        rows[who] = f"{right} of {len(game.labels)}", f"{low:.0%} to {high:.0%}"
    columns = ["right", "likely accuracy"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def likely_range(right, n):
    """Return a range of about 95% for the accuracy, from `right` of n images.

    It is p ± 2 sqrt(p(1 - p)/n) with two right and two wrong answers added, for without
    them the margin of 10 right out of 10 would be nothing (Agresti and Coull, 1998,
    https://doi.org/10.1080/00031305.1998.10480550).
    """
    n += 4
    share = (right + 2) / n
    margin = 2 * math.sqrt(share * (1 - share) / n)
    return max(0, share - margin), min(1, share + margin)


def folded_names(game, predicted):
    """Return a table of the right names and the network's, which a click opens."""
    rows = [
        f"<tr><td>{number}</td><td>{_cell(game, game.labels[number - 1])}</td>"
        f"<td>{_cell(game, predicted[number - 1])}</td></tr>"
        for number in range(1, len(game.labels) + 1)
    ]
    right = int((game.labels == np.asarray(predicted)).sum())
    head = "<tr><th>image</th><th>right name</th><th>the network says</th></tr>"
    return HTML(
        "<details><summary>The names, when you have made up your mind</summary>"
        f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p>The network has {right} of {len(rows)} right.</p></details>"
    )


def _said(text):
    """Return a text that a notebook shows as it is, no wider than a page."""
    return Verdict(textwrap.fill(text, 72))


def _cell(game, label):
    return html.escape(_plain(game.class_names[label]))


def _plain(name):
    """Return a name without underscores, capital letters and needless spaces."""
    return " ".join(str(name).replace("_", " ").lower().split())
