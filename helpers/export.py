"""Write what the notebooks share into `helpers/recipes.py`.

Cells tagged ``export`` define what other notebooks, the recorder and the pages need.
They are copied, as they stand, into one module, and every other file imports from it:
``from helpers.recipes import build_model``. The idea is that of nbdev and of fast.ai's
course (https://nbdev.fast.ai): the notebook is the source, and the module follows it.
"""

import ast
import json
import logging
import re
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
MODULE = Path(__file__).with_name("recipes.py")
TAG = "export"
log = logging.getLogger(__name__)

# An exported cell may use these names, and whatever exported cells define.
BEGINNING = '''\
"""Networks, recipes and trainings, as the notebooks define them.

Made from the cells tagged ``export`` in notebooks/, by ``make export``: change the
notebooks, not this file.
"""

import math
from dataclasses import replace

import numpy as np

from helpers.export import tell_if_older
from helpers.notebooks import quiet_start

with quiet_start():
    import keras
    from keras import layers, ops
'''
ENDING = """\
# Whoever imports this module hears of it if a notebook has been changed since.
tell_if_older()
"""


def export_cells(notebook):
    """Bring what a notebook defines into `helpers/recipes.py`, and print a sentence.

    This is called in the last cell of a notebook. What was run counts: if a cell that
    defines an exported function was changed and run, the module gets that version,
    whether the notebook was saved or not. Other notebooks get it when they are run
    from the beginning again.

    Parameters
    ----------
    notebook : str
        The file in ``notebooks/``, such as "02-model.ipynb".
    """
    cells = [_as_it_was_run(source) for source in exported_cells(NOTEBOOKS / notebook)]
    text = module_text({notebook: cells})
    if not MODULE.exists() or text != MODULE.read_text(encoding="utf-8"):
        write_module(text)
    names = sorted(set().union(*map(_names, cells)))
    print(f"helpers/recipes.py has what is defined here: {', '.join(names)}.")


def exported_cells(path):
    """Return the sources of the cells of a Python notebook tagged ``export``."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if notebook["metadata"].get("language_info", {}).get("name") == "R":
        return []
    tagged = [c for c in notebook["cells"] if TAG in c["metadata"].get("tags", [])]
    return ["".join(cell["source"]) for cell in tagged]


def module_text(replaced=None):
    """Return the text of the module, made of all notebooks.

    Parameters
    ----------
    replaced : dict, optional
        Cells to take in place of those in the file, by the name of the notebook.

    Raises
    ------
    ValueError
        If two notebooks define the same name, or an exported cell does anything else
        than define functions, classes and constants.
    """
    parts, defined_in = [BEGINNING], {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        cells = (replaced or {}).get(path.name) or exported_cells(path)
        if not cells:
            continue

        # The lines `#| ...` are for pages only.
        cells = [re.sub(r"^#\|.*\n*", "", cell, flags=re.M).strip() for cell in cells]
        for cell in cells:
            _refuse_other_statements(path.name, cell)
        for name in set().union(*map(_names, cells)):
            if name in defined_in:
                raise ValueError(
                    f"{name} is defined for export in {defined_in[name]} and in"
                    f" {path.name}, expected in one: give one of them another name."
                )
            defined_in[name] = path.name
        parts.append(f"# From notebooks/{path.name}.\n\n\n" + "\n\n\n".join(cells))
    return "\n\n".join(part.rstrip() + "\n" for part in [*parts, ENDING])


def _refuse_other_statements(notebook, cell):
    """Raise ValueError unless a cell only defines functions, classes and constants."""
    for statement in ast.parse(cell).body:
        defines = isinstance(statement, ast.FunctionDef | ast.ClassDef)
        if isinstance(statement, ast.Assign):
            defines = all(isinstance(t, ast.Name) for t in statement.targets)
        if not defines:
            line = ast.unparse(statement).splitlines()[0]
            raise ValueError(
                f"a cell of {notebook} tagged export has the line `{line}`, expected"
                " functions, classes and constants only: move it to another cell."
            )


def write_module(text):
    """Write the module as a whole, so that nobody imports half of it."""
    new = MODULE.with_suffix(".new")
    try:
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(MODULE)
    finally:
        new.unlink(missing_ok=True)


def tell_if_older():
    """Log one sentence if a notebook has been changed since the module was made."""
    try:
        same = module_text() == MODULE.read_text(encoding="utf-8")
    except (OSError, ValueError, SyntaxError, KeyError):
        return  # without notebooks, or while one is being saved, there is no telling
    if not same:
        log.warning(
            "helpers/recipes.py is older than the notebooks that it is made of: run the"
            " cells that you changed and the last cell of their notebook, then restart"
            " this kernel."
        )


def _as_it_was_run(source):
    """Return the latest version of a cell that was run here, or the one in the file.

    IPython keeps the source of everything that was run in the list ``In``.
    """
    try:
        ran = get_ipython().user_ns["In"]
    except NameError:  # outside IPython, nothing was run
        return source
    wanted = _names(source)
    for text in reversed(ran):
        try:
            if wanted and _names(text) == wanted:
                return text
        except SyntaxError:  # it holds a magic command
            continue
    return source


def _names(source):
    """Return the names of the functions, classes and constants that a cell defines."""
    names = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names.update(t.id for t in statement.targets if isinstance(t, ast.Name))
    return names
