"""The notebooks as they are committed: whole, honest, the same everywhere."""

import importlib.util
import os
import re

import nbformat
import pandas as pd
import pytest
from conftest import NOTEBOOKS, ROOT, run

from helpers import NoDataError, load_data, quiet_start
from tools.checks import test as test_tool
from tools.common.exercises import COLLAPSED, faults, is_folded, read_exercises

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def texts(cell):
    """Return every text among the outputs of a cell."""
    for output in cell.outputs:
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if not kind.startswith("image/"):
                yield str(value)


@pytest.mark.hygiene
@each_notebook
def test_committed_as_executed_from_top_to_bottom_and_nothing_of_a_machine(path):
    """Other metadata would change with every machine and every click."""
    notebook, cells = nbformat.read(path, as_version=4), code_cells(path)
    advice = "saved by an editor since: run make notebooks"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}, advice
    kernel = (notebook.metadata.kernelspec.name, notebook.metadata.language_info)
    assert kernel in [("python3", {"name": "python"}), ("ir", {"name": "R"})], advice
    for cell in notebook.cells:
        kept = {"tags", "jupyter"}
        if is_folded(cell):
            kept |= {COLLAPSED}
        elif "solution" in cell.metadata.get("tags", []):
            kept |= {"answer"}
        assert set(cell.metadata) <= kept, f"{advice}\n{cell.source}"
        assert not cell.get("attachments"), cell.source
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not {"nbval-skip", "raises-exception"} & {*cell.metadata.get("tags", [])}
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source
        for text in texts(cell):
            assert not re.search(r"[\x1b\r\x08]", text), cell.source
            assert not re.search(r"/(home|root|tmp|work|Users|usr)/", text), cell.source
            assert "stand-in " not in text, cell.source


@pytest.mark.hygiene
@each_notebook
def test_exercises_have_the_one_form_and_their_solutions_are_folded(path):
    notebook = nbformat.read(path, as_version=4)
    assert faults(notebook) == []
    for exercise in read_exercises(notebook, path.stem).values():
        asked = notebook.cells[exercise.asked]
        assert "".join(texts(asked)).startswith("Your turn"), asked.source
        solved = notebook.cells[exercise.solved]
        assert solved.source.startswith("# solution\n"), solved.source
        assert "answer" in solved.metadata, solved.source


def test_every_notebook_in_python_is_compared_that_which_takes_longest_first():
    compared = test_tool.notebooks()
    left_out = {"lecture-in-r"}
    if importlib.util.find_spec("torch") is None:
        left_out.add("lecture-in-pytorch")
    assert {*compared} == {path for path in NOTEBOOKS if path.stem not in left_out}
    seconds = pd.read_csv(ROOT / "runs" / "notebooks.csv", index_col="notebook")
    known = [path.stem for path in compared if path.stem in seconds.index]
    assert seconds.loc[known, "seconds"].is_monotonic_decreasing


def test_on_the_stand_in_each_notebook_runs_once_on_what_it_needs(monkeypatch):
    ran = []
    monkeypatch.setattr(
        test_tool,
        "compare",
        lambda mode, size, paths: ran.extend((p, mode, size) for p in paths) or 0,
    )
    assert test_tool.compare_on_stand_in(test_tool.notebooks()) == 0
    assert sorted(path for path, *_ in ran) == sorted(test_tool.notebooks())
    assert {mode for _, mode, _ in ran} == {"--nbval-lax"}
    sizes = {path.stem: size for path, _, size in ran}
    assert "never" not in sizes.values() and sizes["01-data"] == "always"


def test_a_failure_on_the_stand_in_counts_whichever_notebook_it_is_in(monkeypatch):
    paths = test_tool.notebooks()
    for broken in paths:
        monkeypatch.setattr(
            test_tool, "compare", lambda mode, size, of, it=broken: int(it in of)
        )
        assert test_tool.compare_on_stand_in(paths) == 1


@pytest.mark.parametrize(
    ("data", "ci", "passes"),
    [
        (True, "", [("--nbval", "all")]),
        (True, "true", [("--nbval", "all"), ("--nbval-lax", "with data")]),
        (False, "", [("--nbval-lax", "all")]),
        (False, "true", [("--nbval-lax", "all")]),
    ],
)
def test_with_the_data_outputs_are_compared_and_in_ci_on_the_stand_in_too(
    data, ci, passes, monkeypatch
):
    def load(download):
        if not data:
            raise NoDataError("There is no data.")

    ran = {}

    def keep(mode, size, paths):
        ran.setdefault(mode, []).extend(paths)
        return 0

    monkeypatch.setattr(test_tool, "load_data", load)
    monkeypatch.setattr(test_tool, "compare", keep)
    monkeypatch.setattr(test_tool, "run_tests", lambda: 0)
    monkeypatch.setattr(test_tool.subprocess, "call", lambda *_, **__: 0)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(SystemExit) as end:
        test_tool.main()
    assert end.value.code == 0
    left_out = {"lecture-in-r"}
    if importlib.util.find_spec("torch") is None:
        left_out.add("lecture-in-pytorch")
    python = [path for path in NOTEBOOKS if path.stem not in left_out]
    loading = [p for p in python if "load_data" in p.read_text("utf-8")]
    expected = {"all": python, "with data": loading}
    assert {mode: sorted(paths) for mode, paths in ran.items()} == {
        mode: expected[which] for mode, which in passes
    }


def test_every_part_says_which_images_it_has():
    """Sentences about results do not hold on the stand-in.

    The notebooks in R and in PyTorch print the name alone, and the appendix on a larger
    network does not yet.
    """
    silent, data = set(), load_data(download=False)
    name = data.stands_for or data.name
    for path in NOTEBOOKS:
        code = "\n".join(cell.source for cell in code_cells(path))
        if "load_data(" in code and "Loaded:" not in code:
            shown = any(name in t for c in code_cells(path) for t in texts(c))
            if "data_note(data)" not in code or not shown:
                silent.add(path.name)
    assert silent <= {"large.ipynb"}


def test_compile_is_the_same_in_model_training_and_testing():
    cells = [c for p in NOTEBOOKS if re.match("0[234]", p.name) for c in code_cells(p)]
    text = "\n".join(cell.source for cell in cells)
    assert len(set(re.findall(r"^model\.compile\(.*?^\)", text, re.M | re.S))) == 1


@pytest.mark.skipif(
    os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow",
    reason="another engine is chosen",
)
def test_recipes_are_imported_without_messages_and_later_ones_are_shown():
    """Of TensorFlow, which they start, and of their own, while they are new."""
    program = (
        "import helpers.recipes\nfrom helpers import train_without_pauses\n"
        "train_without_pauses()\nimport tensorflow as tf\n"
        "x = tf.data.Dataset.from_tensor_slices([1, 2])\n"
        "assert not x.with_options(tf.data.Options()).options().autotune.enabled\n"
        "tf.raw_ops.PrintV2(input='a later message', output_stream='stderr')"
    )
    assert run("-c", program, cwd=ROOT) == (0, "a later message\n")


@pytest.mark.skipif(os.name != "posix", reason="aborts in another way elsewhere")
def test_message_with_which_the_engine_gives_up_is_shown():
    """It comes from below Python, as where a processor is too old, and ends all."""
    program = (
        "import os\nfrom helpers import quiet_start\nwith quiet_start():\n"
        "    os.write(2, b'I0000 00:00:17 port.cc:153] a report\\nF0000 needs AVX')\n"
        "    os.abort()"
    )
    status, said = run("-c", program, cwd=ROOT)
    assert status < 0 and "needs AVX" in said and "a report" not in said


def test_quiet_start_leaves_the_environment_as_it_was(monkeypatch):
    for level in (None, "0"):
        monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        if level is not None:
            monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
        with pytest.raises(ImportError), quiet_start():
            assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == (level or "3")
            raise ImportError
        assert os.environ.get("TF_CPP_MIN_LOG_LEVEL") == level


def test_pages_embed_cells_by_their_labels(notebooks):
    """Editors may give cells other ids."""
    pages = [*ROOT.glob("*.qmd"), *ROOT.glob("*/*.qmd")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    embeds = re.findall(r"\{\{< embed /?notebooks/(\S+?)#(\S+)", text)
    assert embeds
    for name, label in embeds:
        labelled = [
            c for c in notebooks[name].cells if f"#| label: {label}\n" in c.source
        ]
        assert len(labelled) == 1, f"{name} has not one cell with the label {label}"
