"""Draw grids of images and names at lines; show a network as text and as a diagram."""

import html
import itertools
import shutil
import sysconfig
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.display import HTML, Image
from IPython.utils.capture import capture_output
from matplotlib import font_manager
from matplotlib_inline.backend_inline import set_matplotlib_formats

# The colours of pages/design/tokens.css on a light ground. A test holds them equal.
INK, BLUE, ORANGE, GREEN = "#1c2733", "#1558b0", "#b84a0e", "#0b7a5b"
SOFT, LINE = "#56606b", "#d9e0e7"
PALE = "#d3e3f7"  # a ground for INK
FONTS = Path(__file__).parent / "fonts"


def set_style():
    """Set the style of all later figures: that of the pages, in their typeface.

    Titles stand on the left, and only horizontal lines are drawn behind the data. The
    three colours differ for colour-blind readers too, and each has a contrast of 5 or
    more on white. Figures are drawn at twice the resolution, for the screens of phones
    and laptops.
    """
    set_matplotlib_formats("retina")
    for path in FONTS.glob("*.ttf"):
        font_manager.fontManager.addfont(path)
    sns.set_theme(
        style="whitegrid",
        palette=[BLUE, ORANGE, GREEN, SOFT, INK],
        font="Lecture Sans",
        rc={
            "axes.edgecolor": SOFT,
            "axes.grid.axis": "y",
            "axes.labelcolor": SOFT,
            "axes.labelsize": 11,
            "axes.spines.left": False,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 12,
            "axes.titleweight": "semibold",
            "figure.figsize": (7.2, 3.6),
            "font.size": 11,
            "grid.color": LINE,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "text.color": INK,
            "axes.titlecolor": INK,
            "xtick.color": SOFT,
            "xtick.labelsize": 11,
            "ytick.color": SOFT,
            "ytick.labelsize": 11,
        },
    )


def name_lines(ax, names, gap=4):
    """Write names at the right ends of the lines of a plot, in place of a legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        A plot with a line for each name, in this order.
    names : sequence of str or None
        None for a line that needs no name, such as another seed of the same network.
    gap : float, default 4
        Points between the end of a line and its name.

    Raises
    ------
    ValueError
        If there are not as many names as lines.
    """
    lines = [line for line in ax.lines if len(line.get_xdata()) > 1]
    if len(lines) != len(names):
        raise ValueError(
            f"{len(names)} names for {len(lines)} lines: pass a name for each line."
        )
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in lines]
    points = ax.transData.transform(ends)[:, 1] * 72 / ax.figure.dpi
    apart = 1.4 * plt.rcParams["font.size"]  # names that would touch are moved up
    places = points.copy()
    order = [n for n in np.argsort(points) if names[n] is not None]
    for below, above in itertools.pairwise(order):
        places[above] = max(places[above], places[below] + apart)
    for line, name, end, up in zip(lines, names, ends, places - points, strict=True):
        if name is None:
            continue
        ax.annotate(
            name,
            end,
            (gap, up),
            textcoords="offset points",
            color=line.get_color(),
            va="center",
            weight="semibold",
            annotation_clip=False,
        )
    if ax.get_legend():
        ax.get_legend().remove()


def folded_table(table, summary="The figure in numbers"):
    """Return a table that a click opens: the long description of a figure.

    It stands in the cell below the figure, for readers who do not see it, and for all
    who want the numbers.

    Parameters
    ----------
    table : pandas.DataFrame
    summary : str
        What is clicked on.
    """
    numbers = table.to_html(border=0, na_rep="")
    opener = f"<summary>{html.escape(summary)}</summary>"
    return HTML(f"<details>{opener}{numbers}</details>")


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
    graph.set_ranksep("0.2")
    for node in graph.get_nodes():  # Keras draws them on black
        label = node.get("label") or ""
        label = label.replace('bgcolor="black"', f'bgcolor="{PALE}"')
        label = label.replace("<table ", f'<table color="{SOFT}" ', 1)
        node.set("label", label.replace('color="white"><b>', f'color="{INK}"><b>'))
    for edge in graph.get_edges():
        edge.set_color(SOFT)
    beside = sysconfig.get_path("scripts")
    program = shutil.which("graphviz-pure", path=beside)
    program = program or shutil.which("graphviz-pure")
    return Image(graph.create_png(prog=program))
