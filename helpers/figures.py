"""Draw grids of images; show a network as text and as a diagram."""

import shutil
import sysconfig

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.display import Image
from IPython.utils.capture import capture_output
from matplotlib_inline.backend_inline import set_matplotlib_formats


def set_style():
    """Set the style of all later figures: white, a light grid, colour-blind safe.

    They are drawn at twice the resolution, for the screens of phones and laptops.
    https://seaborn.pydata.org/tutorial/color_palettes.html
    """
    set_matplotlib_formats("retina")
    sns.set_theme(style="whitegrid", palette="colorblind", font="DejaVu Sans")


def plot_images(images, titles, columns=5, size=1.5):
    """Return a Matplotlib figure of images in a grid, each under its title.

    Parameters
    ----------
    images : array_like
        n images: shape (n, height, width, 3) in colour, uint8 from 0 to 255 or float
        from 0 to 1; or (n, height, width) or (n, height, width, 1), in grey, each from
        its own smallest to its own largest value.
    titles : sequence of str
        n titles; underscores become spaces.
    columns : int, default 5
        Images per row.
    size : float, default 1.5
        Width of an image in inches.

    Raises
    ------
    ValueError
        If there are no images, not a title for each, no columns, or another shape.
    """
    images = np.asarray(images)
    fits = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] in (1, 3))
    if not fits or not len(images) == len(titles) > 0 or columns < 1:
        raise ValueError(
            f"images of shape {images.shape}, {len(titles)} titles, {columns} columns,"
            " expected (n, height, width), with 1 or 3 channels if any, n titles and a"
            " column or more: pass a batch, such as x_train[:25], and a title for each."
        )
    rows = -(-len(images) // columns)
    inches = size * columns, (size + 0.2) * rows
    figure = plt.figure(figsize=inches, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, image, title in zip(axes, images, titles, strict=False):
        ax.imshow(image, cmap="gray")
        ax.set_title(title.replace("_", " "), fontsize=9)
    return figure


def model_summary(model):
    """Return what ``model.summary()`` prints, as plain text 76 characters wide."""
    lines = []
    with capture_output():  # or rich, which draws the table, adds an empty output
        model.summary(line_length=76, print_fn=lines.append)
    return "\n".join(lines)


def plot_network(model):
    """Return a diagram of a Keras model's layers and their shapes, as a PNG image.

    It is what ``keras.utils.plot_model`` draws, without the program Graphviz.
    https://keras.io/api/utils/model_plotting_utils/
    """
    from keras.utils import model_to_dot

    graph = model_to_dot(model, show_shapes=True, dpi=72)
    graph.set_ranksep("0.3")
    beside = sysconfig.get_path("scripts")
    program = shutil.which("graphviz-pure", path=beside)
    program = program or shutil.which("graphviz-pure")
    return Image(graph.create_png(prog=program))
