"""Draw the explaining pictures of notebooks and slides into images/, as SVG."""

import math
import re

import numpy as np

from helpers import load_data, run_cells
from helpers.notebooks import NOTEBOOKS

PICTURES = NOTEBOOKS.parent / "images"
INK, GREY, BLUE, ORANGE, GREEN = "#1b3a5c", "#7d8a97", "#1558b0", "#c2500a", "#0b7261"
PALE = {GREY: "#e3e8ee", BLUE: "#d3e3f7", ORANGE: "#fbdec6", GREEN: "#cdeae3"}
# The ground is white, because a picture in a page does not know the theme of the page.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" \
height="{1}" font-family="sans-serif" font-size="18" fill="{ink}" text-anchor="middle">
<rect width="{0}" height="{1}" rx="10" fill="white"/>
<marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" \
markerHeight="6" orient="auto"><path d="M0 0L10 5L0 10z" fill="{grey}"/></marker>
{2}
</svg>
"""


def picture(width, height, parts):
    return FRAME.format(width, height, "\n".join(parts), ink=INK, grey=GREY)


def words(x, y, text, more=""):
    """Write a line around the point (x, y), with proper signs of times and minus."""
    text = re.sub(r"-(?=\d)", "\u2212", str(text)).replace(" x ", " \u00d7 ")
    return f'<text x="{x:g}" y="{y + 6:g}" {more}>{text}</text>'


def shape(points, fill="none", stroke=GREY, width=1, more=""):
    path = "L".join(f"{x:.4g} {y:.4g}" for x, y in points)
    end = "z" if len(points) > 2 else ""
    style = f'fill="{fill}" stroke="{stroke}" stroke-width="{width}"'
    return f'<path d="M{path}{end}" {style} {more}/>'


def box(x, y, w, h, *style):
    return shape([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], *style)


def arrow(*points):
    return shape(points, "none", GREY, 2, 'marker-end="url(#tip)"')


def dashed(x, y, size, colour):
    return box(x, y, size, size, "none", colour, 3, 'stroke-dasharray="6 4"')


def grid(x, y, cells, size, fills, stroke=GREY):
    """Return square cells with what stands in them, and one colour or one for each."""
    parts, fills = [], np.broadcast_to(fills, np.shape(cells))
    for row, column in np.ndindex(fills.shape):
        place = x + column * size, y + row * size
        parts.append(box(*place, size, size, fills[row, column], stroke))
        if (text := cells[row][column]) != "":
            parts.append(words(place[0] + size / 2, place[1] + size / 2, text))
    return parts


def window():
    """Return a filter on an image and its output, with the numbers of notebook 2."""
    image, weights = np.array([[0, 0, 0, 1, 1, 1]] * 6), np.array([[-1, 0, 1]] * 3)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    output = (windows * weights).sum(axis=(2, 3))
    products = " + ".join(
        f"{p} · ({w})" if w < 0 else f"{p} · {w}"
        for p, w in zip(windows[1, 1, 0], weights[0], strict=True)
    )
    parts = [
        words(128, 32, "image"),
        words(356, 32, "filter"),
        words(576, 32, "output"),
    ]
    parts += grid(20, 58, image, 36, np.where(image, "white", PALE[GREY]))
    parts += [dashed(92, 94, 108, ORANGE), box(56, 94, 108, 108, "none", ORANGE, 4)]
    parts += grid(302, 112, weights, 36, PALE[ORANGE])
    parts += [words(269, 166, " x "), arrow((426, 166), (488, 166))]
    parts += grid(504, 94, output, 36, PALE[BLUE])
    parts += [dashed(576, 130, 36, ORANGE), box(540, 130, 36, 36, "none", ORANGE, 4)]
    parts += [words(340, 312, f"({products}) x 3 rows = {output[1, 1]}")]
    return picture(680, 344, parts)


def channels(model):
    """Return what the first convolution of the network does to its channels."""
    first = next(layer for layer in model.layers if hasattr(layer, "filters"))
    *size, into, out = first.kernel.shape
    colours = [(2, "#6f9bef"), (1, "#63b068"), (0, "#dd766d")]
    parts = []
    for n, colour in colours:
        x, y = 30 + 26 * n, 96 - 26 * n
        parts += [box(x, y, 130, 130, colour, "white", 2, 'fill-opacity="0.8"')]
        parts += [box(x + 36, y + 40, 39, 39, "none", INK, 3)]
    for y, name in ((54, 1), (134, 2), (244, out)):
        for n, colour in colours:
            x, cells = 300 + 9 * n, np.full(size, "")
            parts += grid(x, y - 17 - 9 * n, cells, 15, colour, "white")
        parts += [arrow((222, 130), (286, y)), arrow((374, y), (424, y))]
        parts += [box(440, y - 29, 62, 62, PALE[BLUE], BLUE, 2), words(471, y, name)]
    parts += [words(330, 190, "⋮"), words(471, 190, "⋮")]
    for x, text in ((124, f"{into} channels in"), (322, f"{out} filters")):
        parts += [words(x, 308, text)]
    return picture(560, 336, [*parts, words(471, 308, f"{out} channels out")])


def stride():
    """Return three ways of a 3 x 3 window over 5 x 5 numbers."""
    parts = []
    for x, pad, step, title in (
        (104, 0, 1, "stride 1"),
        (302, 0, 2, "stride 2"),
        (500, 1, 1, "stride 1, “same”"),
    ):
        zeros = np.pad(np.full((5, 5), ""), pad, constant_values="0")
        whole = len(zeros)
        out = (whole - 3) // step + 1
        left, top, low = x - 12 * whole, 130 - 12 * whole, x - 12 * out
        parts += [words(x, 24, title)]
        parts += grid(left, top, zeros, 24, np.where(zeros, PALE[GREY], "white"))
        parts += [dashed(left + 24 * step, top, 72, BLUE)]
        parts += [box(left, top, 72, 72, "none", ORANGE, 4), arrow((x, 220), (x, 244))]
        parts += grid(low, 252, np.full((out, out), ""), 24, "white")
        parts += [box(low + 24, 252, 24, 24, PALE[BLUE], BLUE, 3)]
        parts += [box(low, 252, 24, 24, PALE[ORANGE], ORANGE, 3)]
        parts += [words(x, 394, f"5 x 5 → {out} x {out}")]
    return picture(604, 418, parts)


def pooling():
    """Return max-pooling, with the numbers of notebook 2."""
    numbers = np.array([[1, 3, 0, 2], [4, 2, 1, 0], [0, 1, 5, 6], [2, 0, 7, 3]])
    pooled = numbers.reshape(2, 2, 2, 2).max(axis=(1, 3))
    fills = np.reshape([PALE[c] for c in (BLUE, ORANGE, GREEN, GREY)], (2, 2))
    parts = grid(24, 24, numbers, 46, fills.repeat(2, axis=0).repeat(2, axis=1))
    for x, y in np.ndindex(2, 2):
        parts += [box(24 + 92 * x, 24 + 92 * y, 92, 92, "none", INK, 2)]
    parts += [arrow((228, 116), (296, 116)), *grid(316, 70, pooled, 46, fills, INK)]
    return picture(432, 232, parts)


def receptive(model):
    """Return how many pixels one number depends on, after each convolution."""
    seen, jump, image = 1, 1, model.input_shape[1]
    squares = [(image, f"the image: {image} x {image}", "none", INK)]
    for layer in model.layers:
        size = getattr(layer, "kernel_size", getattr(layer, "pool_size", (1,)))
        seen += (size[0] - 1) * jump
        jump *= getattr(layer, "strides", (1,))[0]
        if hasattr(layer, "filters"):
            name = f"convolution {len(squares)}: {seen} x {seen}"
            squares.append((seen, name, BLUE, BLUE))
    squares.sort(reverse=True)
    scale, parts = 300 / squares[0][0], []
    for n, (pixels, name, fill, stroke) in enumerate(squares):
        half, y = pixels * scale / 2, 34 + 68 * n
        corner = 170 - half
        more = 'fill-opacity="0.2"'
        parts += [box(corner, corner, 2 * half, 2 * half, fill, stroke, 2, more)]
        parts += [shape([(170 + half, corner), (344, y)], "none", stroke)]
        parts += [words(354, y, name, 'text-anchor="start"')]
    return picture(580, 340, parts)


def network(model):
    """Return a block for each layer that changes the shape of what it gets."""
    kinds = {"Conv2D": BLUE, "MaxPooling2D": ORANGE, "Dense": GREEN}
    parts, x, before = [], 24, []
    layers = [(type(layer).__name__, layer.output.shape) for layer in model.layers]
    for kind, (_, *size) in [("InputLayer", model.input_shape), *layers]:
        if size == before:
            continue
        colour = kinds.get(kind, GREY)
        flat = len(size) == 1
        tall = (5.6 if flat else 24) * math.sqrt(size[0])
        wide = 14 if flat else 2.2 * math.sqrt(size[-1])
        deep, top = (0 if flat else tall * 0.22), 212 - tall
        back = [(x + deep, top - deep), (x + wide + deep, top - deep)]
        side = [(x + wide + deep, 212 - deep), (x + wide, 212), (x + wide, top)]
        parts += [shape([(x, top), *back, side[2]], "white", colour, 1.5)]
        parts += [shape([side[2], back[1], *side[:2]], PALE[colour], colour, 1.5)]
        parts += [box(x, top, wide, tall, PALE[colour], colour, 1.5)]
        parts += [words(x + wide / 2, 232, f"{size[-1]:,}")]
        if size[:2] != before[:2] and not flat:
            name = f"{size[0]} x {size[1]}"
            parts += [words(x, top - deep - 16, name, 'text-anchor="start"')]
        x, before = x + wide + (40 if flat else max(30, deep + 8)), size
    for n, name in enumerate(("convolution", "max-pooling", "dense")):
        colour = list(kinds.values())[n]
        parts += [box(150 + 180 * n, 266, 18, 18, PALE[colour], colour, 1.5)]
        parts += [words(178 + 180 * n, 275, name, 'text-anchor="start"')]
    return picture(round(x), 300, parts)


def parts_of_the_data():
    """Return the three sets of images as bars, to scale."""
    parts = []
    for x, share, colour, name, job in (
        (20, 4, BLUE, "training", "to learn from"),
        (432, 1, GREEN, "validation", "to choose by"),
        (572, 1, ORANGE, "test", "once, at the end"),
    ):
        wide = 100 * share
        parts += [box(x, 20, wide, 84, PALE[colour], colour, 2)]
        parts += [words(x + wide / 2, 62, name), words(x + wide / 2, 130, job)]
    return picture(700, 156, parts)


def drawn():
    """Return the text of every picture by the name of its file."""
    model = run_cells("02-model.ipynb", "network")["build_model"](load_data())
    return {
        "split.svg": parts_of_the_data(),
        "window.svg": window(),
        "channels.svg": channels(model),
        "stride.svg": stride(),
        "pooling.svg": pooling(),
        "receptive.svg": receptive(model),
        "network.svg": network(model),
    }


def main():
    for name, text in drawn().items():
        (PICTURES / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
