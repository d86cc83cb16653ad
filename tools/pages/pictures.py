"""Draw the pictures of the front page from the figures of the notebooks."""

import base64
import io

import nbformat
from PIL import Image, ImageOps

from helpers.export import NOTEBOOKS

PICTURES = NOTEBOOKS.parent / "images"
# For each part: the figure, and how much of it is shown (left, top, right, bottom).
PARTS = {
    1: ("01-data.ipynb", "fig-images", (0, 0, 0.6, 0.4)),
    2: ("02-model.ipynb", "fig-edges", (0, 0, 1, 1)),
    3: ("03-training.ipynb", "fig-history", (0, 0, 1, 1)),
    4: ("04-testing.ipynb", "fig-mistakes", (0, 0, 0.6, 0.5)),
    5: ("05-improving.ipynb", "fig-ablation", (0, 0, 1, 1)),
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


def main():
    for number, (notebook, *figure) in PARTS.items():
        if (NOTEBOOKS / notebook).exists():
            picture = part(notebook, *figure)
            picture.save(PICTURES / f"part-{number}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
