"""Make _student/: the lecture without its solutions, and its pages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbconvert.preprocessors import TagRemovePreprocessor

ROOT = Path(__file__).resolve().parents[1]
STUDENT = ROOT / "_student"
LEFT_OUT = (".*", "_s*", "*.egg-info", "__pycache__", "tests", "teaching.qmd")
LEFT_OUT += ("CONTRIBUTING.md",)
NOTES = re.compile(r"^::: \{\.notes\}\n.*?^:::$\n", re.M | re.S)


def without_teaching(text):
    """Return a text of the site without its link to the page for instructors."""
    text = re.sub(r" *- href: pages/teaching\.qmd\n.*\n", "", text)
    return re.sub(r"\nand a page on \[.*?\]\(pages/teaching\.qmd\)", "", text)


def main():
    shutil.rmtree(STUDENT, ignore_errors=True)
    shutil.copytree(ROOT, STUDENT, ignore=shutil.ignore_patterns(*LEFT_OUT))
    remover = TagRemovePreprocessor(remove_cell_tags={"solution"})
    for path in STUDENT.glob("notebooks/*.ipynb"):
        notebook, _ = remover.preprocess(nbformat.read(path, as_version=4), {})
        nbformat.write(notebook, path)
    deck = STUDENT / "slides" / "index.qmd"
    deck.write_text(NOTES.sub("", deck.read_text("utf-8")), encoding="utf-8")
    for path in (STUDENT / "_quarto.yml", STUDENT / "index.qmd"):
        path.write_text(without_teaching(path.read_text("utf-8")), encoding="utf-8")
    done = subprocess.run([sys.executable, STUDENT / "tools" / "render.py"])
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
