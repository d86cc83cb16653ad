"""Draw the pictures of the front page and the social card from stored figures."""

import base64
import io

import nbformat
from PIL import Image, ImageDraw, ImageFont, ImageOps

from helpers.notebooks import NOTEBOOKS

PICTURES = NOTEBOOKS.parent / "images"
# For each part: the figure, and how much of it is shown (left, top, right, bottom).
PARTS = {
    1: ("01-data.ipynb", "fig-images", (0, 0, 0.6, 0.4)),
    2: ("02-model.ipynb", "fig-edges", (0, 0, 1, 1)),
    3: ("03-training.ipynb", "fig-history", (0, 0, 1, 1)),
    4: ("04-testing.ipynb", "fig-mistakes", (0, 0, 0.6, 0.5)),
    5: ("05-improving.ipynb", "fig-ablation", (0, 0, 1, 1)),
}


def figure(notebook, label):
    """Return the picture that the cell with that label has stored."""
    for cell in nbformat.read(NOTEBOOKS / notebook, as_version=4).cells:
        if f"#| label: {label}\n" in cell.source:
            data = next(
                o.data for o in cell.outputs if "image/png" in o.get("data", {})
            )
            return Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    raise SystemExit(f"{notebook} has no figure {label}: give the label to its cell.")


def part(number):
    """Return the picture of a part, 480 by 270 pixels."""
    notebook, label, box = PARTS[number]
    whole = figure(notebook, label).convert("RGB")
    sizes = whole.size * 2
    shown = whole.crop(
        [round(share * size) for share, size in zip(box, sizes, strict=True)]
    )
    return ImageOps.pad(shown, (480, 270), color="white")


def card():
    """Return the card that other sites show with a link, 1200 by 630 pixels."""
    from matplotlib import font_manager

    path = font_manager.findfont("DejaVu Sans")  # matplotlib brings it
    image = Image.new("RGB", (1200, 630), "#1b3a5c")
    photographs = figure("01-data.ipynb", "fig-images").convert("RGB")
    image.paste(ImageOps.fit(photographs, (500, 630), centering=(0, 0)), (700, 0))
    draw = ImageDraw.Draw(image)
    for text, size, top in (
        ("CNN on the\nCIFAR-100 data", 72, 150),
        ("A lecture that you run:\nfive notebooks, no graphics card", 34, 380),
    ):
        font = ImageFont.truetype(path, size)
        draw.multiline_text((60, top), text, "white", font, spacing=16)
    return image


def main():
    for number in PARTS:
        part(number).save(PICTURES / f"part-{number}.png", optimize=True)
    card().quantize().save(PICTURES / "card.png", optimize=True)


if __name__ == "__main__":
    main()
