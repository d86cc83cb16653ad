"""Draw the pictures of the front page from the figures of the notebooks.

And one of the stand-in, for the page on the data.
"""

import base64
import io

import nbformat
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from helpers.export import NOTEBOOKS
from helpers.figures import FONTS, INK
from helpers.stand_in import draw_stand_in

PICTURES = NOTEBOOKS.parent / "images"
# For each part: the figure, and how much of it is shown (left, top, right, bottom).
PARTS = {
    1: ("01-data.ipynb", "fig-images", (0, 0, 0.6, 0.4)),
    2: ("02-model.ipynb", "fig-edges", (0, 0, 1, 1)),
    3: ("03-training.ipynb", "fig-history", (0, 0, 1, 1)),
    4: ("04-testing.ipynb", "fig-mistakes", (0, 0, 0.6, 0.5)),
    5: ("05-improving.ipynb", "fig-steps", (0, 0, 1, 1)),
    6: ("transfer.ipynb", "fig-transfer", (0, 0, 1, 1)),
}


def part(notebook, label, box):
    """Return a part of the figure with that label, 480 by 270 pixels."""
    for cell in nbformat.read(NOTEBOOKS / notebook, as_version=4).cells:
        if f"#| label: {label}\n" in cell.source:
            stored = (output.get("data", {}) for output in cell.outputs)
            figure = next(data["image/png"] for data in stored if "image/png" in data)
            whole = Image.open(io.BytesIO(base64.b64decode(figure))).convert("RGB")
            area = [round(b * s) for b, s in zip(box, whole.size * 2, strict=True)]
            return ImageOps.pad(whole.crop(area), (480, 270), color="white")
    raise SystemExit(f"{notebook} has no figure {label}: give the label to its cell.")


def stand_in():
    """Return one image of each superclass of the stand-in, a row for each pattern.

    The colours change from row to row and from column to column.
    """
    (images, labels), *_ = draw_stand_in(1_000, 0)
    picture = Image.new("RGB", (5 * 112 - 16, 4 * 112 - 16), "white")
    for row, column in np.ndindex(4, 5):
        drawn = 25 * row + 5 * column + (row + column) % 5
        image = Image.fromarray(images[np.argmax(labels == drawn)])
        image = image.resize((96, 96), Image.Resampling.NEAREST)
        picture.paste(image, (112 * column, 112 * row))
    return picture


def card():
    """Return what sites show that link to the pages, 1200 by 630 pixels."""
    picture = Image.new("RGB", (1200, 630), INK)
    apple = Image.open(PICTURES / "front.png").convert("RGB")
    side = 32 * 16
    picture.paste(apple.resize((side, side), Image.Resampling.NEAREST), (629, 59))
    draw = ImageDraw.Draw(picture)
    title = ImageFont.truetype(FONTS / "lecture-sans-600.ttf", 76)
    draw.text((60, 170), "CNN on the\nCIFAR-100 data", "white", title, spacing=14)
    below = ImageFont.truetype(FONTS / "lecture-sans-400.ttf", 36)
    said = "A lecture that you run:\nsix notebooks, no graphics card"
    draw.text((60, 400), said, "white", below, spacing=14)
    return picture


def main():
    card().save(PICTURES / "card.png", optimize=True)
    stand_in().save(PICTURES / "stand-in.png", optimize=True)
    for number, (notebook, *figure) in PARTS.items():
        if (NOTEBOOKS / notebook).exists():
            picture = part(notebook, *figure)
            picture.save(PICTURES / f"part-{number}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
