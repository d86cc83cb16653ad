"""Draw the pictures that depend on the network into images/, as SVG.

The other drawings there do not change with the lecture, and were drawn once.
"""

import functools
import html
import itertools
import math
import re

import numpy as np
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

from helpers import load_data
from helpers.recipes import build_model
from tools.common.paths import ROOT

PICTURES = ROOT / "images"
TOKENS = ROOT / "pages" / "design" / "tokens.css"
LETTERS = ROOT / "helpers" / "fonts"


def tokens():
    """Return the colours of the design in the light, by their names."""
    light = TOKENS.read_text(encoding="utf-8").partition(".quarto-dark {")[0]
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", light))


INK, BLUE, ORANGE, GREEN = (tokens()[n] for n in ("ink", "blue", "orange", "green"))
GREY = "#7d8a97"  # of lines, never of words
PALE = {GREY: "#e3e8ee", BLUE: "#d3e3f7", ORANGE: "#fbdec6", GREEN: "#cdeae3"}
# The ground is white, because a picture in a page does not know the theme of the page.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" \
height="{1}" font-size="18" fill="{ink}" text-anchor="middle">
<rect width="{0}" height="{1}" rx="10" fill="white"/>
<marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" \
markerHeight="6" orient="auto"><path d="M0 0L10 5L0 10z" fill="{grey}"/></marker>
{2}
</svg>
"""


def picture(width, height, parts):
    svg = FRAME.format(width, height, "\n".join(parts), ink=INK, grey=GREY)
    return outlined(svg)


@functools.cache
def letters(weight):
    """Return a weight of the lecture's typeface: names of glyphs, outlines, widths."""
    font = TTFont(LETTERS / f"lecture-sans-{weight}.ttf")
    return font.getBestCmap(), font.getGlyphSet(), font["hmtx"]


def outlined(svg):
    """Return a drawing whose words are outlines: a page lends pictures no typeface."""
    return re.sub(r"<text ([^>]*)>([^<]*)</text>", outline, svg)


def outline(found):
    """Return the outlines of one line of words."""
    style = dict(re.findall(r'([\w-]+)="([^"]*)"', found[1]))
    place = float(style.pop("x")), float(style.pop("y"))
    size = float(style.pop("font-size", 18))
    anchor = style.pop("text-anchor", "middle")
    names, glyphs, widths = letters(600 if style.pop("font-weight", "") else 400)
    parts, x = [], 0
    for letter in html.unescape(found[2]):
        pen = SVGPathPen(glyphs, lambda number: f"{number:.4g}")
        glyphs[names[ord(letter)]].draw(TransformPen(pen, (1, 0, 0, -1, x, 0)))
        parts.append(pen.getCommands())
        x += widths[names[ord(letter)]][0]
    scale = size / 1000  # units of the typeface in one em
    left = place[0] - {"start": 0, "middle": 0.5, "end": 1}[anchor] * x * scale
    move = f"translate({left:.5g} {place[1]:g}) scale({scale:g})"
    more = "".join(f' {name}="{value}"' for name, value in style.items())
    return f'<path transform="{move}" d="{"".join(parts)}"{more}/>'


def words(x, y, text, more=""):
    """Write a line around the point (x, y), with proper signs of times and minus."""
    text = re.sub(r"-(?= ?\d)", "\u2212", str(text)).replace(" x ", " \u00d7 ")
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
    for x, y in itertools.product((330, 471), (182, 190, 198)):  # and so on
        parts += [f'<circle cx="{x}" cy="{y}" r="2"/>']
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
