"""Draw the figures of the slides, for the last row of a hall.

tools/pages/prepare.py calls `main` before each rendering, so that what is drawn of the
recorded runs is never older than they are; git ignores these, in slides/figures/. The
photographs need the data, which is not at hand wherever pages are rendered: they stand
in images/slides/, and `make notebooks` draws them. On the stage of 1280 by 720, where a
figure is 1152 wide and 430 high, no letter is smaller than 24.
"""

import itertools
import os
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
from matplotlib.ticker import PercentFormatter

from helpers import load_data, load_run, load_runs, load_weights, name_lines, set_style
from helpers.export import NOTEBOOKS
from helpers.figures import BLUE, GREEN, INK, ORANGE, SOFT
from helpers.recipes import build_model
from tools.clean import making
from tools.common.paths import ROOT
from tools.pages.draw import PALE, arrow, box, picture, shape, words
from tools.pages.results import judged

PHOTOGRAPHS = ROOT / "images" / "slides"
ORIGINAL = 0.445  # the test accuracy that the original lecture reports
INCHES = (16, 5.97)  # 1152 by 430 points, so that a point is a pixel of the stage
LARGE = 'font-size="28"'
SMALL = 'font-size="25"'


def bold(size, colour):
    return f'font-size="{size}" font-weight="bold" fill="{colour}"'


def axes(columns=1, **options):
    """Return a figure of the size of the stage, and its axes."""
    return plt.subplots(1, columns, figsize=INCHES, layout="constrained", **options)


def in_percent(ax):
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def history(run, drawn=True):
    """Return the accuracies of the lecture's training, or the axes alone."""
    figure, ax = axes()
    epochs = run.history["epoch"]
    ax.set(xlim=(0, epochs.max() * 1.16), ylim=(0, 0.8), xlabel="Epoch")
    ax.set_xticks(range(0, epochs.max() + 1, 5))
    in_percent(ax)
    if drawn:
        ax.plot(epochs, run.history["accuracy"])
        ax.plot(epochs, run.history["val_accuracy"], "--")
        name_lines(ax, ["training", "validation"], gap=10)
    return figure


def networks():
    """Return validation accuracy by epoch: convolutional, dense, softmax regression.

    All were trained on the same few images from several seeds; shown are the means.
    """
    _, epochs = load_runs("few")
    means = epochs.groupby(["step", "epoch"])["val_accuracy"].mean().unstack("step")
    figure, ax = axes()
    last = means.index.max()
    ax.set(xlim=(0, last * 1.35), ylim=(0, 0.25), xlabel="Epoch")
    ax.set_xticks(range(0, last + 1, 2))
    in_percent(ax)
    for name, style in (
        ("Convolutional network", "-"),
        ("Dense network", "--"),
        ("Softmax regression", ":"),
    ):
        ax.plot(means.index, means[name], style)
    name_lines(ax, ["convolutional", "dense", "softmax regression"], gap=10)
    return figure


def margin(run):
    """Return the test accuracy with its margin, beside that of the original lecture."""
    accuracy, count = (
        run.record["test"]["accuracy"],
        run.record["options"]["test_images"],
    )
    count = count or 10_000
    half = 2 * np.sqrt(accuracy * (1 - accuracy) / count)
    figure, ax = axes()
    ax.errorbar(accuracy, 1, xerr=half, fmt="o", ms=18, lw=5, capsize=14, capthick=5)
    ax.plot(ORIGINAL, 0, "D", ms=18, color=ORANGE)
    ours = f"ours: {accuracy:.1%}, from {accuracy - half:.1%} to {accuracy + half:.1%}"
    for y, text, colour in (
        (1, ours, BLUE),
        (0, f"the original lecture: {ORIGINAL:.1%}", ORANGE),
    ):
        ax.text(0.4205, y + 0.2, text, color=colour, weight="semibold", fontsize=28)
    ax.set(xlim=(0.42, 0.46), ylim=(-0.5, 1.6), yticks=[])
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_xticks([0.42, 0.43, 0.44, 0.45, 0.46])
    return figure


def confidence():
    """Return mean confidence and accuracy, as part 4 prints them."""
    cells = nbformat.read(NOTEBOOKS / "04-testing.ipynb", as_version=4).cells
    printed = "".join(
        output.get("text", "")
        for cell in cells
        if "#| label: mean-confidence\n" in cell.source
        for output in cell.outputs
    )
    said, right = (
        float(re.search(rf"{name}\s+([\d.]+)%", printed)[1]) / 100
        for name in ("Mean confidence", "Accuracy")
    )
    return bars({"confidence, on average": said, "right": right}, [ORANGE, BLUE])


def bars(shares, colours):
    """Return a horizontal bar for each share, with its name and its number."""
    figure, ax = axes()
    places = range(len(shares))
    ax.barh(places, shares.values(), 0.55, color=colours)
    for y, (name, share) in enumerate(shares.items()):
        ax.text(
            share + 0.01, y, f"{share:.0%}", va="center", weight="semibold", size=36
        )
        ax.text(-0.01, y, name, va="center", ha="right", size=28)
    ax.set(xlim=(-0.42, 1), yticks=[], xticks=[])
    ax.invert_yaxis()
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return figure


def results():
    """Return the test accuracies of the lecture, from guessing to the large network."""
    names = {
        "baseline": "the lecture's network",
        "improved": "the recipe of part 5",
        "large": "a larger network",
    }
    shares = {"guessing": 0.01}
    for name, trainings in judged().items():
        shares[names[name]] = trainings["test.accuracy"].mean()
    return bars(shares, [SOFT, *[BLUE] * (len(shares) - 1)])


def seeds():
    """Return two steps of part 5, with a dot for each seed."""
    _, epochs = load_runs("improving")
    last = epochs.groupby(["step", "seed"], sort=False)["val_accuracy"].last()
    names = list(dict.fromkeys(last.index.get_level_values("step")))
    gains = [
        (last[b].mean() - last[a].mean(), a, b) for a, b in itertools.pairwise(names)
    ]
    _, *large = max(gains)
    _, *small = min(gains, key=lambda gain: abs(gain[0]))
    figure, (left, right) = axes(2, gridspec_kw={"wspace": 0.25})
    for ax, pair in ((left, large), (right, small)):
        for y, (name, colour) in enumerate(zip(pair, (SOFT, BLUE), strict=True)):
            ax.plot(
                last[name],
                [y] * len(last[name]),
                "o",
                ms=18,
                mfc="none",
                mew=3,
                c=colour,
            )
            ax.text(
                last[name].mean(), y - 0.3, name, ha="center", color=colour, size=25
            )
        middle = (last[pair[0]].mean() + last[pair[1]].mean()) / 2
        ax.set(xlim=(middle - 0.09, middle + 0.09), ylim=(1.5, -0.7), yticks=[])
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.xaxis.set_major_locator(mpl.ticker.MultipleLocator(0.05))
    return figure


def descent():
    """Return steps down a parabola: too small, right, too large."""
    figure, panels = axes(3, sharey=True)
    line = np.linspace(-1.6, 1.6, 100)
    for ax, (rate, title) in zip(
        panels,
        ((0.03, "too small"), (0.3, "about right"), (1.04, "too large")),
        strict=True,
    ):
        weights = [-1.2]
        for _ in range(6):
            weights.append(weights[-1] - rate * 2 * weights[-1])  # the loss is w ** 2
        ax.plot(line, line**2, color=SOFT)
        ax.plot(weights, np.square(weights), "o-", ms=11, color=ORANGE)
        ax.set(title=title, xticks=[], yticks=[], ylim=(-0.15, 2.6), xlabel="weight")
    panels[0].set_ylabel("loss")
    return figure


def cross_entropy():
    """Return the loss of one image by the probability of its right class."""
    figure, ax = axes()
    p = np.linspace(0.004, 1, 300)
    ax.plot(p, -np.log(p))
    cases = {"guessing": 0.01, "unsure": 0.4, "confident and right": 0.9}
    style = {"weight": "semibold", "color": ORANGE, "size": 26}
    beside = {"xytext": (16, 10), "textcoords": "offset points"}
    for text, share in cases.items():
        loss = -np.log(share)
        ax.plot(share, loss, "o", ms=14, color=ORANGE)
        ax.annotate(f"{text}: {loss:.2f}", (share, loss), **beside, **style)
    ax.set(xlabel="probability of the right class", ylim=(0, 5.6))
    ax.set_ylabel("loss, \N{MINUS SIGN}ln p")
    return figure


def softmax():
    """Return three scores as bars, and beside them their probabilities."""
    scores = np.array([2, 1, 0])
    shares = np.exp(scores) / np.exp(scores).sum()
    figure, panels = axes(2)
    for ax, values, title, colour, text in zip(
        panels,
        (scores, shares),
        ("scores", "probabilities"),
        (SOFT, BLUE),
        ("{:g}", "{:.1%}"),
        strict=True,
    ):
        drawn = ax.barh(range(3), values, 0.55, color=colour)
        labels = [text.format(value) for value in values]
        ax.bar_label(drawn, labels, padding=12, size=36, weight="semibold")
        ax.set(title=title, xticks=[], yticks=[], xlim=(0, 1.4 * values.max()))
        ax.invert_yaxis()
        ax.spines[:].set_visible(False)
        ax.grid(False)
    return figure


def photographs(images, titles, columns=6, colours=None):
    """Return photographs in a grid, each under its title."""
    rows = -(-len(images) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=INCHES, layout="constrained")
    for ax in grid.flat:
        ax.set_axis_off()
    for n, (ax, image, title) in enumerate(
        zip(grid.flat, images, titles, strict=False)
    ):
        ax.imshow(image, cmap="gray")
        colour = colours[n] if colours else INK
        ax.set_title(title.replace("_", " "), loc="center", size=25, color=colour)
    return figure


def edges(images):
    """Return a photograph in grey, and what two filters find in it."""
    grey = images.mean(axis=-1)
    down = np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]])
    found = [
        np.abs(
            sum(
                weights[i, j] * grey[i : i + 30, j : j + 30]
                for i, j in np.ndindex(3, 3)
            )
        )
        for weights in (down.T, down)
    ]
    names = ["in grey", "vertical edges", "horizontal edges"]
    return photographs([grey, *found], names, columns=3)


def ladder():
    """Return squares whose areas are numbers of weights: 32 x 32 pixels to as many."""
    side, filters = 32 * 32, 3 * 3
    parts, scale = [], 330 / side
    for x, count, colour, lines in (
        (225, side**2, BLUE, ("every pixel", "to every pixel")),
        (620, (2 * 32 - 1) ** 2, ORANGE, ("the same weights", "everywhere")),
        (960, filters, GREEN, ("and only to", "its neighbours")),
    ):
        size = max(np.sqrt(count) * scale, 3)
        parts += [box(x - size / 2, 340 - size, size, size, PALE[colour], colour, 2)]
        parts += [words(x, 372, f"{count:,}", bold(34, colour))]
        parts += [words(x, 412 + 32 * n, line, SMALL) for n, line in enumerate(lines)]
    for tip, end in ((951, 906), (969, 1014)):  # the filter, enlarged
        parts += [shape([(tip, 330), (end, 190)], "none", GREEN)]
    for i, j in np.ndindex(3, 3):
        parts += [box(906 + 36 * j, 82 + 36 * i, 36, 36, PALE[GREEN], GREEN, 2)]
    return picture(1152, 470, parts)


def chain():
    """Return one weight, the loss, and the derivatives on the way back."""
    nodes = (("3", "weight"), ("6", "times 2"), ("6", "ReLU"), ("4", "(6 - 4)²"))
    parts = []
    for n, (value, name) in enumerate(nodes):
        x = 120 + 300 * n
        parts += [box(x - 70, 110, 140, 96, PALE[BLUE], BLUE, 3)]
        parts += [words(x, 156, value, bold(34, BLUE)), words(x, 70, name, LARGE)]
    for n, factor in enumerate(("2", "1", "2 · (6 - 4) = 4")):
        x = 270 + 300 * n
        back = f'd="M{x + 72} 178H{x - 66}" stroke="{ORANGE}" stroke-width="3"'
        tip = f'd="M{x - 72} 178l14 -8v16z" fill="{ORANGE}"'
        parts += [
            arrow((x - 78, 140), (x + 70, 140)),
            f"<path {back}/>",
            f"<path {tip}/>",
        ]
        parts += [words(x, 250, factor, bold(30, ORANGE))]
    parts += [
        words(576, 340, "the derivative of the loss with respect to the weight", LARGE)
    ]
    parts += [words(576, 396, "2 · 1 · 4 = 8", bold(44, ORANGE))]
    return picture(1152, 430, parts)


def drawings():
    """Return what is drawn without Matplotlib, by the name of its file."""
    return {"ladder.svg": ladder(), "chain.svg": chain()}


def plots():
    """Return what is drawn of functions and of the recorded runs."""
    run = load_run("baseline")
    return {
        "history": history(run),
        "history-empty": history(run, drawn=False),
        "networks": networks(),
        "margin": margin(run),
        "confidence": confidence(),
        "results": results(),
        "seeds": seeds(),
        "descent": descent(),
        "cross-entropy": cross_entropy(),
        "softmax": softmax(),
    }


def pictures():
    """Return what is drawn of the images, and what the network says of ten of them."""
    data = load_data(download=False)
    (images, labels), (new, right) = data.train, data.test
    labels, right = labels[:, 0], right[:, 0]
    names = np.array(data.class_names)
    model = build_model(data)
    load_weights(model, load_run("baseline"))
    said = model.predict(new[:200].astype("float32"), verbose=0)
    best, sure = said.argmax(axis=1), said.max(axis=1)
    wrong = np.flatnonzero(best != right[:200])
    wrong = wrong[np.argsort(-sure[wrong])][:5]
    marks = [BLUE if b == r else ORANGE for b, r in zip(best[:10], right, strict=False)]
    return {
        "named": photographs(images[:12], names[labels[:12]]),
        "game": photographs(new[:10], [str(n + 1) for n in range(10)], columns=5),
        "game-said": photographs(new[:10], names[best[:10]], columns=5, colours=marks),
        "edges": edges(images[0] / 255),
        "wrong": photographs(
            new[wrong],
            [f"{names[best[i]]}: {sure[i]:.0%}\n{names[right[i]]}" for i in wrong],
            columns=5,
        ),
    }


def styled():
    """Return the settings of Matplotlib in which the figures are drawn."""
    mpl.use("agg")
    set_style()
    sizes = ("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize")
    more = {"axes.titlesize": 28, "svg.hashsalt": "slides", "lines.linewidth": 4}
    return mpl.rc_context(dict.fromkeys(sizes, 25) | more)


def main():
    """Draw what depends on the recorded runs, or on nothing."""
    with making("slides/figures") as folder, styled():
        for name, text in drawings().items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        for name, figure in plots().items():
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def draw_photographs():
    """Draw what shows images, on the real data only."""
    PHOTOGRAPHS.mkdir(parents=True, exist_ok=True)
    with styled():
        for name, figure in pictures().items():
            options = {"quality": 85, "method": 6}
            figure.savefig(PHOTOGRAPHS / f"{name}.webp", pil_kwargs=options)
            plt.close(figure)


if __name__ == "__main__":
    os.environ["CIFAR100_STAND_IN"] = "never"
    draw_photographs()
