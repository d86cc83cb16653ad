"""Prepare the rendering: Quarto and smalldocs run this before they render.

It is `pre-render` in _quarto.yml. It writes the network of the page `play`, draws the
figures of the slides, and says in one sentence what is missing. A course may do without
these pages.
"""

import json
import logging
import sys
from pathlib import Path

# Run as a script, this finds the tools of its own folder: the student edition has some.
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def is_news(record):
    """Return whether a log record says more than that the stand-in is used."""
    return not record.getMessage().endswith("A drawn stand-in takes its place.")


def main():
    try:
        from helpers import DataError, RunError
        from tools.pages import play, slides
    except ImportError as error:
        raise SystemExit(
            f"Not rendered: {sys.executable} has no {error.name}. `make site` renders"
            " with the packages of the lecture; for Quarto alone, set QUARTO_PYTHON to"
            " the Python in .venv."
        ) from None
    logging.getLogger("helpers.data").addFilter(is_news)
    played = any((ROOT / f"pages/{name}.qmd").exists() for name in ("play", "teach"))
    try:
        if played:
            play.main()
        if (ROOT / "slides/index.qmd").exists():
            slides.main()
    except (RunError, DataError, OSError, ValueError) as error:
        raise SystemExit(f"Not rendered: {error}") from None
    if not played:
        return
    network = json.loads((play.TARGET / "network.json").read_text(encoding="utf-8"))
    if not network["samples"]:
        print("The page `play` has no test images: `make data` brings them.")


if __name__ == "__main__":
    main()
