"""From the notebooks to `helpers/recipes.py`, and to the hash of a record."""

import logging

import pytest
from conftest import save_notebook

from helpers import export
from tools.recording.syntax import code_sha256, definitions, value_of

MODULE = """
import keras

RATE = 0.1


def layer(units):
    return keras.layers.Dense(units)


def train(data, seed):
    model = keras.Sequential([layer(3)])
    model.compile(keras.optimizers.SGD(RATE))
    return model


def unused():
    return 1
"""


@pytest.fixture
def lecture(tmp_path, monkeypatch):
    """A folder of two small notebooks, and the module made of them."""
    first = [("x = 1",), ("#| label: a\ndef one():\n    # why\n    return 1", "export")]
    save_notebook(tmp_path / "01-first.ipynb", "Text", *first)
    save_notebook(tmp_path / "02-second.ipynb", ("TWO = 2", "export", "other"))
    monkeypatch.setattr(export, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(export, "MODULE", tmp_path / "recipes.py")
    export.write_module(export.module_text())
    return tmp_path


def test_the_module_is_what_the_notebooks_define():
    text = export.MODULE.read_text(encoding="utf-8")
    assert text == export.module_text(), "a notebook has changed: make export"


def test_exported_cells_stand_in_the_module_in_the_order_of_the_notebooks(lecture):
    text = (lecture / "recipes.py").read_text("utf-8")
    assert text.index("From notebooks/01-first.ipynb") < text.index("def one():")
    assert text.index("def one():") < text.index("From notebooks/02-second.ipynb")
    assert "    # why\n" in text and "TWO = 2\n" in text
    assert "label" not in text and "x = 1" not in text


def test_one_name_in_two_notebooks_is_refused(lecture):
    save_notebook(lecture / "03-third.ipynb", ("def one():\n    pass", "export"))
    with pytest.raises(ValueError, match=r"in 01-first\.ipynb and in 03-third\.ipynb"):
        export.module_text()


@pytest.mark.parametrize("line", ["A.update(x=1)", "print(1)", "import os", "a.b = 1"])
def test_cell_that_does_more_than_define_is_refused(lecture, line):
    save_notebook(lecture / "03-third.ipynb", (f"THREE = 3\n{line}", "export"))
    with pytest.raises(ValueError, match="expected functions, classes and constants"):
        export.module_text()


def test_what_was_run_is_exported_although_the_notebook_was_not_saved(lecture, capsys):
    """As in JupyterLab: a cell is changed and run, then the last cell is run."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.run_cell("def one():\n    return 111", store_history=True)
        shell.run_cell("%timeit -n1 -r1 one", store_history=True)
        capsys.readouterr()
        shell.user_ns["export_cells"] = export.export_cells
        shell.run_cell("export_cells('01-first.ipynb')", store_history=True)
    finally:
        InteractiveShell.clear_instance()
    said = capsys.readouterr().out
    assert said == "helpers/recipes.py has what is defined here: one.\n"
    text = (lecture / "recipes.py").read_text("utf-8")
    assert "return 111" in text and "TWO = 2" in text


def test_a_module_older_than_a_notebook_says_so(lecture, caplog):
    with caplog.at_level(logging.WARNING):
        export.tell_if_older()
        assert not caplog.messages
        save_notebook(lecture / "02-second.ipynb", ("TWO = 3", "export"))
        export.tell_if_older()
    [said] = caplog.messages
    assert said.startswith("helpers/recipes.py is older than the notebooks")
    (lecture / "02-second.ipynb").write_text("{")
    caplog.clear()
    export.tell_if_older()
    assert not caplog.messages, "a notebook that is being saved is no news"


# The hash of a record's code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    model.compile", "    # A comment.\n\n    model.compile"),
        ("def layer(units):\n", 'def layer(units):\n    """Return a layer."""\n'),
        (
            "keras.Sequential([layer(3)])",
            "keras.Sequential(\n        [layer(3)]\n    )",
        ),
        ("def unused():\n    return 1", "def unused():\n    return 2"),
        ("def unused():\n    return 1\n", ""),
        ("(3)", "( 3 )"),
    ],
)
def test_what_changes_no_behaviour_keeps_the_records(old, new):
    assert old in MODULE
    changed = MODULE.replace(old, new)
    assert code_sha256(changed, ("train",)) == code_sha256(MODULE, ("train",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 0.1", "RATE = 0.2"),
        ("Dense(units)", "Dense(units, use_bias=False)"),
        ("layer(3)", "layer(4)"),
        ("SGD(RATE)", "SGD(-RATE)"),
        ("def train(data, seed)", "def train(data, seed=1)"),
        ("    return model", "    return [model]"),
        ("    model.compile", "    seed\n    model.compile"),
    ],
)
def test_what_changes_the_behaviour_makes_records_stale(old, new):
    assert old in MODULE
    changed = MODULE.replace(old, new)
    assert code_sha256(changed, ("train",)) != code_sha256(MODULE, ("train",))


def test_hash_is_the_same_in_every_version_of_python():
    """It is written out, since ast.dump differs between versions."""
    assert code_sha256("def f(x):\n    return f'{x!r:>3}' + 'a'\n", ("f",)) == EXPECTED


EXPECTED = "b23c186eedda5cf1513e166a344c2430940c004bce526565478943aa5c7dac54"


def test_function_that_is_not_there_is_one_sentence():
    with pytest.raises(ValueError, match="defines no trian, expected it for a job"):
        code_sha256(MODULE, ("trian",))


def test_recipes_are_read_without_running_them():
    module = 'A = {"x": 1, "y": [(2, 3)]}\nB = A | {"x": 4}\n'
    assert value_of("B", definitions(module)) == {"x": 4, "y": [(2, 3)]}
    with pytest.raises(ValueError, match="malformed node"):
        value_of("C", definitions("C = print(1)\n"))
