"""Draw grids of images and a confusion matrix; show a network as text and diagram."""

import shutil
import sysconfig

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Image
from IPython.utils.capture import capture_output


def set_style():
    """Set the style of all later figures: white background, light grid, safe colours.

    Colour-blind readers can tell the colours of the palette apart.

    References
    ----------
    https://seaborn.pydata.org/tutorial/color_palettes.html
    """
    sns.set_theme(
        style="whitegrid",
        palette="colorblind",
        rc={"font.family": "DejaVu Sans", "figure.dpi": 100},
    )


def plot_images(images, titles, columns=5, size=1.5):
    """Draw images in a grid, each under its title.

    Parameters
    ----------
    images : array_like
        n images: shape (n, height, width, 3) in colour, uint8 from 0 to 255 or float
        from 0 to 1, or (n, height, width) in one channel, each drawn from its own
        smallest to its own largest value in grey.
    titles : sequence of str
        n titles; underscores become spaces.
    columns : int, default 5
        Images per row.
    size : float, default 1.5
        Width of an image in inches.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the images have another shape, or there is not one title per image.
    """
    images = np.asarray(images)
    if not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)):
        raise ValueError(
            f"images have shape {images.shape}, expected (n, height, width) or"
            " (n, height, width, 3): pass a batch, such as x_train[:25]."
        )
    if not len(images) == len(titles) > 0:
        raise ValueError(
            f"there are {len(images)} images and {len(titles)} titles, expected at"
            " least one image and as many titles: pass one title per image."
        )
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(size * columns, (size + 0.2) * rows),
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        ax.imshow(image, cmap="gray")
        ax.set_title(title.replace("_", " "), fontsize=9)
    return figure


def plot_confusion(true, predicted, names):
    """Draw a confusion matrix: for each true class, where its predictions went.

    Parameters
    ----------
    true, predicted : array_like of int, shape (n,)
        Class numbers, 0 to ``len(names) - 1``.
    names : sequence of str
        Class names in the order of their numbers; underscores become spaces.

    Returns
    -------
    matplotlib.figure.Figure
        The figure: a row for each true class, in percent of that class.

    Raises
    ------
    ValueError
        If a number has no name, or the two have different lengths.
    """
    true, predicted = np.ravel(true), np.ravel(predicted)
    for what, labels in (("true", true), ("predicted", predicted)):
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
            raise ValueError(
                f"{what} labels run from {labels.min()} to {labels.max()}, expected 0"
                f" to {len(names) - 1}: pass the names that belong to these labels."
            )
    if len(true) != len(predicted):
        raise ValueError(
            f"there are {len(true)} true and {len(predicted)} predicted labels,"
            " expected equally many: pass the labels of the same images."
        )
    labels = [name.replace("_", " ") for name in names]
    percent = pd.crosstab(true, predicted, normalize="index").mul(100)
    numbers = range(len(names))
    percent = percent.reindex(index=numbers, columns=numbers, fill_value=0)
    figure, ax = plt.subplots(figsize=(9, 8), layout="constrained")
    sns.heatmap(
        percent,
        ax=ax,
        cmap="viridis",
        square=True,
        xticklabels=labels,
        yticklabels=labels,
        cbar_kws={"label": "percent of the true class", "shrink": 0.7},
    )
    ax.set(xlabel="predicted", ylabel="true")
    return figure


def model_summary(model):
    """Return what ``model.summary()`` prints, as plain text of fixed width.

    In a notebook, ``summary()`` itself writes coloured HTML that adapts to the width of
    the window, and stores terminal codes with it.

    Parameters
    ----------
    model : keras.Model
        A built model.

    Returns
    -------
    str
        The table, 76 characters wide.

    References
    ----------
    https://keras.io/api/models/model/#summary-method
    """
    lines = []
    with capture_output():  # or rich, which draws the table, adds an empty output
        model.summary(line_length=76, print_fn=lines.append)
    return "\n".join(lines)


def plot_network(model):
    """Draw a Keras model as a diagram of its layers and their shapes.

    The diagram is that of ``keras.utils.plot_model``, but does not need the program
    Graphviz: the package graphviz-pure lays it out, in the same way on every system.

    Parameters
    ----------
    model : keras.Model
        A built model.

    Returns
    -------
    IPython.display.Image
        The diagram, as PNG.

    Raises
    ------
    RuntimeError
        If the package graphviz-pure is not installed.

    References
    ----------
    https://keras.io/api/utils/model_plotting_utils/
    """
    from keras.utils import model_to_dot

    program = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    if program is None:
        raise RuntimeError(
            "graphviz-pure was not found beside this Python, expected as one of the"
            " packages of requirements.lock: install it with pip."
        )
    graph = model_to_dot(model, show_shapes=True, dpi=72)
    graph.set_ranksep("0.3")
    return Image(graph.create_png(prog=program))
