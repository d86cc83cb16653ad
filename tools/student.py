"""Make _student/: the lecture without its solutions, and its pages."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbconvert.preprocessors import TagRemovePreprocessor

ROOT = Path(__file__).resolve().parents[1]
STUDENT = ROOT / "_student"
LEFT_OUT = ".*", "_s*", "*.egg-info", "__pycache__", "tests"


def main():
    shutil.rmtree(STUDENT, ignore_errors=True)
    shutil.copytree(ROOT, STUDENT, ignore=shutil.ignore_patterns(*LEFT_OUT))
    remover = TagRemovePreprocessor(remove_cell_tags={"solution"})
    for path in STUDENT.glob("notebooks/*.ipynb"):
        notebook, _ = remover.preprocess(nbformat.read(path, as_version=4), {})
        nbformat.write(notebook, path)
    done = subprocess.run([sys.executable, STUDENT / "tools" / "render.py"])
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
