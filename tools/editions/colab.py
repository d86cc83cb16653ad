"""Give each notebook a first cell that sets it up on Google Colab, or take it away.

Colab opens a notebook alone, so that cell needs the repository's address: repo-url in
_quarto.yml. Where that is not set, there is no such cell.
"""

import importlib.metadata
import os

import nbformat
import yaml

from tools.common.paths import ROOT

TAG = "colab"
SOURCE = """\
#| include: false
# Colab opens this notebook alone: bring the rest. Elsewhere, do nothing.
import os
import subprocess
import sys
from pathlib import Path

if "google.colab" in sys.modules:
    address = "{address}"
    lecture = Path.home() / "lecture"
    if not lecture.exists():
        clone = ["git", "clone", "-q", "--depth=1", address, lecture]
        subprocess.run(clone, check=True)
    install = [sys.executable, "-m", "pip", "install", "-q"]
    install.append("--disable-pip-version-check")
    subprocess.run([*install, "{package}"], check=True)
    os.chdir(lecture / "notebooks")
    sys.path.insert(0, str(lecture))"""


def address():
    """Return the repository's address, or None."""
    site = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    return site["website"].get("repo-url")


def source(address):
    """Return the source of the cell; it installs the one package that Colab lacks."""
    requirements = importlib.metadata.requires("cifar100-lecture")
    package = next(x for x in requirements if x.startswith("graphviz-pure"))
    return SOURCE.format(address=address, package=package)


def with_cell(notebook, address):
    """Return the notebook with the cell, or without it if there is no address.

    A notebook in R is left as it is.
    """
    if notebook.metadata.get("kernelspec", {}).get("name") == "ir":
        return notebook
    cells = [c for c in notebook.cells if TAG not in c.metadata.get("tags", [])]
    if address:
        first = next(i for i, c in enumerate(cells) if c.cell_type == "code")
        metadata = {"tags": [TAG]}
        cell = nbformat.v4.new_code_cell(source(address), id=TAG, metadata=metadata)
        cells.insert(first, cell)
    code = (cell for cell in cells if cell.cell_type == "code")
    for number, cell in enumerate(code, start=1):  # as if it had been executed, too
        for counted in (cell, *cell.outputs):
            if "execution_count" in counted:
                counted.execution_count = number
    notebook.cells = cells
    return notebook


def main():
    for path in ROOT.glob("notebooks/*.ipynb"):
        notebook = with_cell(nbformat.read(path, as_version=4), address())
        nbformat.write(notebook, path.with_suffix(".new"))
        os.replace(path.with_suffix(".new"), path)
    print(f"Address: {address() or 'none, so no cell for Colab'}.")


if __name__ == "__main__":
    main()
