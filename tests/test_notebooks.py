"""The notebooks as they are committed: whole, honest, the same everywhere."""

import ast
import os
import re
import subprocess
import sys
import traceback

import nbformat
import pytest
from conftest import NOTEBOOKS, ROOT

from helpers import NoDataError, run_cells
from helpers.data import data_folder
from helpers.notebooks import cell_sources

# The only cells whose outputs are not compared, because they differ from machine to
# machine: the first line of each. Anything else that does is rounded or left out.
NOT_COMPARED = {
    "packages = [",
    "history = model.fit(",
    "live = pd.DataFrame(history.history)",
    "pd.DataFrame(history.history).round(3)",
    "x_test, y_test = load_cifar100().test",
    'in_r <- c("keras3", "reticulate", "ggplot2")',
    "history <- model |> fit(",
}
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def first_line(cell):
    return next(x for x in cell.source.splitlines() if not x.startswith("#|"))


def texts(cell):
    """Return every text among the outputs of a cell."""
    for output in cell.outputs:
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if not kind.startswith("image/"):
                yield str(value)


def test_cells_that_are_not_compared_are_few_and_named():
    ignored = [
        first_line(cell)
        for path in NOTEBOOKS
        for cell in code_cells(path)
        if "nbval-ignore-output" in cell.metadata.get("tags", [])
    ]
    assert set(ignored) <= NOT_COMPARED and len(ignored) <= 8
    for path in NOTEBOOKS:
        for cell in code_cells(path):
            tags = set(cell.metadata.get("tags", []))
            assert not tags & {"nbval-skip", "raises-exception"}, cell.source
            assert "NBVAL" not in cell.source, cell.source


@pytest.mark.hygiene
@each_notebook
def test_nothing_of_a_machine_is_stored(path):
    """Other metadata would change with every machine and every click."""
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    kernel = (notebook.metadata.kernelspec.name, notebook.metadata.language_info)
    assert kernel in [("python3", {"name": "python"}), ("ir", {"name": "R"})]
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "jupyter"}, cell.source
        assert not cell.get("attachments"), cell.source


@pytest.mark.hygiene
@each_notebook
def test_committed_as_executed_from_top_to_bottom(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source
        for text in texts(cell):
            assert not re.search(r"[\x1b\r\x08]", text), cell.source
            assert not re.search(r"/(home|root|tmp|work|Users|usr)/", text), cell.source
            assert "stand-in " not in text or path.stem == "stand-in", cell.source


@each_notebook
def test_figures_have_caption_and_alternative_text(path):
    for cell in code_cells(path):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            for option in ("label: fig-", 'fig-cap: "', 'fig-alt: "'):
                assert f"#| {option}" in cell.source
            markup = re.search(r"#\| fig-(cap|alt).*['_*\[\]]", cell.source)
            assert not markup, "Quarto reads markup there"


@each_notebook
def test_every_solution_is_right(path):
    cells = nbformat.read(path, as_version=4).cells
    asked = [c for c in cells if re.search(r"^answer\w* = None", c.source, re.M)]
    solved = [c for c in cells if "solution" in c.metadata.get("tags", [])]
    said = "".join(x for c in solved if c.cell_type == "code" for x in texts(c))
    assert said.count("Right.") == len(asked)
    assert "Not yet" not in said and "False" not in said
    for cell in asked:
        assert next(filter(None, texts(cell))).startswith("Your turn")
    for cell in solved:  # JupyterLab shows the first line of a hidden cell
        if cell.cell_type == "code":
            assert all(cell.metadata["jupyter"].values())
            assert re.match(r"# Solution\n|#\| label", cell.source)
    opened = sum(c.source.startswith("<details>") for c in solved)
    assert opened == sum(c.source.endswith("</details>") for c in solved)


def test_compile_is_the_same_in_model_training_and_testing():
    calls = {
        ast.unparse(node)
        for path in NOTEBOOKS
        if re.match("0[234]", path.name)
        for cell in code_cells(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "model.compile"
    }
    assert len(calls) == 1


def test_unknown_tag_is_one_sentence():
    with pytest.raises(ValueError, match=r"02-model\.ipynb has no code cell.*netwrok"):
        cell_sources("02-model.ipynb", "network", "netwrok")


def test_error_in_a_shared_cell_shows_its_notebook(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["broken"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "some.ipynb")
    monkeypatch.setattr("helpers.notebooks.NOTEBOOKS", tmp_path)
    with pytest.raises(ZeroDivisionError) as caught:
        run_cells("some.ipynb", "broken")
    shown = "".join(traceback.format_exception(caught.value))
    assert 'File "some.ipynb, cell 1 tagged broken", line 1' in shown
    assert "    1 / 0" in shown


def test_a_changed_figure_fails(tmp_path):
    """Run the comparison, strict where the data is, on changed copies of notebook 2."""
    content = (ROOT / "notebooks" / "02-model.ipynb").read_text(encoding="utf-8")
    stored = '"964,516 by hand, 964,516 in Keras'
    assert content.count(stored) == 1
    content = content.replace(stored, '"964,517 by hand, 964,516 in Keras')
    (tmp_path / "copy.ipynb").write_text(content, encoding="utf-8")
    try:
        data_folder(download=False)
        mode, stand_in = "--nbval", "never"
    except NoDataError:
        mode, stand_in = "--nbval-lax", "always"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", mode, "--nbval-current-env", "copy.ipynb"],
        cwd=tmp_path,
        env={**os.environ, "CIFAR100_STAND_IN": stand_in},
        capture_output=True,
        text=True,
    )
    assert "1 failed" in result.stdout.splitlines()[-1], result.stdout


def test_tensorflow_starts_without_messages_and_shows_the_later_ones():
    program = (
        "from helpers import quiet_start, train_without_pauses\n"
        "with quiet_start():\n    import keras\n"
        "train_without_pauses()\nimport tensorflow as tf\n"
        "x = tf.data.Dataset.from_tensor_slices([1, 2])\n"
        "print(x.with_options(tf.data.Options()).options().autotune.enabled)\n"
        "tf.raw_ops.PrintV2(input='a later message', output_stream='stderr')"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == "a later message\n" and done.returncode == 0
