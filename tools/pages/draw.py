"""Draw the pictures that depend on the network into images/, as SVG.

The other drawings there do not change with the lecture, and were drawn once.
"""

import math
import re

import numpy as np

from helpers import load_data
from helpers.recipes import build_model
from tools.common.paths import ROOT

PICTURES = ROOT / "images"
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


def drawn():
    """Return the text of every picture by the name of its file."""
    model = build_model(load_data())
    return {
        "channels.svg": channels(model),
        "receptive.svg": receptive(model),
        "network.svg": network(model),
    }


def main():
    for name, text in drawn().items():
        (PICTURES / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
