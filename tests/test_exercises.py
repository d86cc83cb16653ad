"""What is said about the answers to exercises, and how the right ones are kept."""

import ast
import builtins
import json
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import nbformat
import numpy as np
import pandas as pd
import pytest
import small_lecture
from conftest import NOTEBOOKS, ROOT
from small_lecture import NAME, tool, value

from helpers import check, check_between, exercises
from tools.common.exercises import agrees, read_exercises, stored, tags
from tools.common.files import write_together
from tools.notebooks import execute

# A right answer, its tolerance, what a reader gives, and what is said of it.
SAID = [
    (3, None, None, "Your turn: write your answer, and run this cell again."),
    (3, None, ..., "Your turn: write your answer, and run this cell again."),
    (3, None, 3, "Right."),
    (3, None, 2.98, "Not yet: another number is right."),
    (5.0, None, (1 - 0.95) * 100, "Right."),
    (3, None, float("nan"), "Not yet: expected one number."),
    (3, None, np.inf, "Not yet: expected one number."),
    (3, None, 10**400, "Not yet: expected one number."),
    (3, None, {"a": 3}, "Not yet: expected one number."),
    (0.3, 0.001, 0.3009, "Right."),
    (0.3, 0.001, 0.302, "Not yet: another number is right."),
    ([1, 2, 3], None, (1, 2, 3), "Right."),
    ([1, 2, 3], None, (1, 3, 4), "Not yet: not all of these numbers are right."),
    ([1, 2, 3], None, (1, 2), "Not yet: expected 3 numbers."),
    ([1, 2], None, ((1, 2), 3), "Not yet: expected 2 numbers."),
    (np.eye(2), None, np.eye(2), "Right."),
    (np.eye(2), None, [1, 0], "Not yet: expected 2 times 2 numbers."),
    ("maple_tree", None, " Maple tree", "Right."),
    ("maple_tree", None, "oak", "Not yet: another text is right."),
    ("oak", None, 7, "Not yet: expected a text in quotation marks."),
    (True, None, np.bool_(True), "Right."),
    (True, None, False, "Not yet: the opposite is right."),
]
# Texts and truth values are not numbers, and the other way round.
NOT_EQUAL = [(3, "3"), (1, True), (True, 1), ("3", 3), ("True", True), (0, False)]
# Scalars, lists of one and whatever NumPy and pandas make are numbers.
EQUAL = [
    (1.2, np.float32(1.2)),
    (7, np.int64(7)),
    (7, np.array(7)),
    (7, [7]),
    (7, np.array([[7.0]])),
    (7, pd.Series([7], index=["x"])),
    (0.5, Fraction(1, 2)),
    ([1, 2], pd.Series([1, 2])),
    ([1, 2], pd.Index([1, 2])),
    ([[1, 2], [3, 4]], pd.DataFrame([[1, 2], [3, 4]])),
    (["a", "b"], pd.Series(["a", "b"])),
]


SLOW = exercises.SLOW


@pytest.fixture
def quick(monkeypatch):
    """Hashes that take no time: the tests make a hundred of them."""
    monkeypatch.setattr(exercises, "SLOW", SLOW | {"n": 2})


@pytest.fixture
def answer_of(monkeypatch, quick):
    """Return a function that stores a right answer, to be found as "x/1"."""

    def store(truth, tolerance=None, data=False):
        kept = json.loads(json.dumps(stored(truth, tolerance, data=data)))
        monkeypatch.setattr(
            exercises, "stored_answer", lambda name: kept if name == "x/1" else None
        )
        return kept

    return store


def test_says_what_is_wrong_without_giving_it_away(answer_of):
    for truth, tolerance, answer, said in SAID:
        answer_of(truth, tolerance)
        assert check(answer, "x/1") == said, (truth, answer)
    assert repr(check(True, "x/1")) == "Right.", "a notebook shows no quotation marks"


@pytest.mark.parametrize(("truth", "answer"), NOT_EQUAL)
def test_another_kind_is_not_right(truth, answer, answer_of):
    answer_of(truth)
    assert check(answer, "x/1").startswith("Not yet: expected ")


@pytest.mark.parametrize(("truth", "answer"), EQUAL)
def test_what_libraries_make_is_accepted(truth, answer, answer_of):
    answer_of(truth)
    assert check(answer, "x/1") == "Right."


def test_ways_to_write_a_number_get_a_hint(answer_of):
    answer_of(1_193_636)
    assert "yours is 1193636" in check((1, 193, 636), "x/1")
    assert "yours is" not in check([19, 29, 0, 11, 1], "x/1"), "labels are no number"
    assert "without quotation marks" in check("1,193,636", "x/1")
    answer_of(81, 5)
    assert "in percent" in check(0.81, "x/1")
    assert "without quotation marks, percent" in check("81%", "x/1")
    answer_of(0.81)
    assert "a fraction of one" in check(81, "x/1")
    assert check(82, "x/1") == "Not yet: another number is right."


@pytest.mark.parametrize("tolerance", [5, 0.5, 0.01, 1e-3])
@pytest.mark.parametrize("truth", [18.37, -3.2, 240, 0.0, 123_456.789, 1e-9])
def test_the_tolerance_is_the_largest_distance(truth, tolerance):
    for side in (-1, 1):
        assert agrees(truth + side * tolerance, truth, tolerance)
        assert agrees(truth + side * tolerance * 0.9999, truth, tolerance)
        assert not agrees(truth + side * tolerance * 1.0001, truth, tolerance)
    assert not agrees(truth + 2 * tolerance, truth, tolerance)


@pytest.mark.parametrize("truth", [np.log(10), 1.2, 1 / 3, 9.999, 0.00123, -1e9 / 7])
def test_without_a_tolerance_it_is_relative(truth):
    assert agrees(truth * (1 + 1e-6), truth, None)
    assert agrees(np.float32(truth), truth, None)
    assert not agrees(truth * (1 + 3e-5), truth, None)
    assert agrees([truth, 0.0], [truth, 1e-9 * truth], None), "beside the largest"


def test_there_is_one_slow_hash_and_it_is_another_each_time(quick):
    first, second = (stored([12, 34], None) for _ in range(2))
    assert first["hash"] != second["hash"] and first["salt"] != second["salt"]
    assert len(first["hash"]) == 32
    assert first["form"]["offsets"] is None
    assert stored([12, 34], None, old=first) == first, "no change where none is needed"
    assert stored([12, 35], None, old=first)["hash"] != first["hash"]
    noisy = stored(1 / 3 + 1e-15, None, old=(old := stored(1 / 3, None)))
    assert noisy == old, "nor for the noise of a computation"
    assert 2**25 < 128 * SLOW["n"] * SLOW["r"] <= 2**26, "64 MB"


@pytest.mark.parametrize(
    ("truth", "tolerance"),
    [([], None), ({1}, None), ([1, "a"], None), (1, -1), (np.nan, 1)],
)
def test_what_cannot_be_an_answer_is_refused_when_it_is_stored(truth, tolerance):
    with pytest.raises(ValueError, match=r"cannot be an answer|is negative"):
        stored(truth, tolerance)


def test_on_the_stand_in_nothing_is_called_wrong(answer_of, monkeypatch, no_data):
    answer_of("orchid", data=True)
    assert check("orchid", "x/1") == "Right."
    assert "cannot be judged on the drawn stand-in" in check("red", "x/1")
    monkeypatch.setenv("CIFAR100_STAND_IN", "always")
    assert "cannot be judged on the drawn stand-in" in check("red", "x/1")
    answer_of("orchid", data=False)
    assert check("red", "x/1") == "Not yet: another text is right."


def test_on_the_real_images_a_wrong_answer_is_wrong(answer_of, real_data):
    answer_of("orchid", data=True)
    assert check("red", "x/1") == "Not yet: another text is right."


def test_an_unknown_exercise_is_a_sentence(answer_of):
    answer_of(3)
    assert check(3, "x/2") == "No answer to x/2 is stored: it cannot be checked here."
    with pytest.raises(TypeError, match="expected the notebook and the number"):
        check(3, 3)


def test_ranges_are_checked_where_there_is_no_one_answer():
    assert check_between(None, 1, 2).startswith("Your turn")
    assert check_between(np.float32(1.5), 1, 2) == "Right."
    assert check_between([2], high=2) == "Right."
    assert check_between(0.5, 1, 2) == "Not yet: 0.5 is too small, expected 1 or more."
    assert check_between(3, 1, 2) == "Not yet: 3 is too large, expected 2 or less."
    assert check_between("1.5", 1, 2).startswith(
        "Not yet: expected one number, written"
    )
    assert check_between(np.nan, 1) == "Not yet: expected one number."


def with_exercises(path):
    notebook = nbformat.read(path, as_version=4)
    return notebook, read_exercises(notebook, path.stem)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_solution_is_accepted_by_its_stored_answer(path):
    notebook, found = with_exercises(path)
    known = json.loads((ROOT / "helpers" / "answers.json").read_text("utf-8"))
    assert set(known.get(path.stem, {})) == set(found), "run make notebooks"
    for exercise in found.values():
        answer = notebook.cells[exercise.solved].metadata.get("answer")
        assert check(answer, exercise.name) == "Right.", exercise.name
        entry = known[path.stem][exercise.number]
        form = exercises.form_of(answer, exercise.tolerance)
        assert entry["form"]["tolerance"] == form.tolerance, exercise.name


def names(tree, context):
    """Return the names that a piece of code reads or, with ast.Store, gives a value."""
    found = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }
    if context is ast.Store:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(a.asname or a.name).split(".")[0] for a in node.names}
    return found


def cells_above(notebook, position, wanted):
    """Return the cells that give names their values, without those of other exercises.

    Raises
    ------
    AssertionError
        If there is none, or if a reader would have to train a network first.
    """
    needed = set()
    for name in sorted(wanted - set(dir(builtins))):
        for above in range(position - 1, -1, -1):
            cell = notebook.cells[above]
            if cell.cell_type != "code" or {"exercise", "solution"} & {*tags(cell)}:
                continue
            tree = ast.parse(cell.source)
            if name in names(tree, ast.Store):
                break
        else:
            pytest.fail(f"no cell above gives {name} a value, except for exercises")
        assert ".fit(" not in cell.source, f"{name} takes a training"
        missing = names(tree, ast.Load) - names(tree, ast.Store)
        needed |= {above, *cells_above(notebook, above, missing)}
    return needed


def written_functions():
    """Return the exercises whose cell calls a function that a reader writes.

    Elsewhere a reader writes the answer in place of None, and nothing can differ.
    """
    return [
        pytest.param(notebook, exercise, id=exercise.name)
        for notebook, found in map(with_exercises, NOTEBOOKS)
        for exercise in found.values()
        if "def " in (source := notebook.cells[exercise.asked].source)
        and f"\nanswer_{exercise.number} = None" not in source
    ]


@pytest.mark.parametrize(("notebook", "exercise"), written_functions())
def test_a_right_function_is_right_however_often_its_cell_is_run(
    notebook, exercise, real_data, monkeypatch
):
    """The reader's cell runs after a restart, with the function of the solution in it.

    What it needs comes from cells above it, but from no other exercise.
    """
    asked = ast.parse(notebook.cells[exercise.asked].source)
    functions = {
        node.name: node
        for cell in notebook.cells[exercise.asked + 1 : exercise.solved + 1]
        if cell.cell_type == "code" and "solution" in tags(cell)
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.FunctionDef)
    }
    given = {node.name for node in asked.body if isinstance(node, ast.FunctionDef)}
    assert given <= {*functions}, "the solution writes the same functions"
    kept = [node for node in asked.body if getattr(node, "name", None) not in given]
    filled = ast.Module([*functions.values(), *kept], type_ignores=[])
    missing = names(filled, ast.Load) - names(filled, ast.Store)

    monkeypatch.chdir(ROOT / "notebooks")
    monkeypatch.setattr("helpers.load_data", lambda: real_data)  # read once for all
    values = {}
    for above in sorted(cells_above(notebook, exercise.asked, missing)):
        exec(notebook.cells[above].source, values)
    truth = notebook.cells[exercise.solved].metadata["answer"]
    code = compile(filled, exercise.name, "exec")
    for _ in range(2):
        exec(code, values)
        answer = values[f"answer_{exercise.number}"]
        assert agrees(answer, truth, exercise.tolerance), answer


def test_answers_of_notebooks_that_are_gone_are_gone():
    known = json.loads((ROOT / "helpers" / "answers.json").read_text("utf-8"))
    assert set(known) <= {path.stem for path in NOTEBOOKS}


def test_answers_are_stored_with_their_notebook(tmp_path):
    made = small_lecture.notebook(
        value("1", "12"), value("2", "[0.5]", ", tolerance=0.1")
    )
    made.cells.append(nbformat.v4.new_code_cell("answer_1 = 'overwritten later'"))
    small_lecture.lecture(tmp_path, made)
    path = tmp_path / "notebooks" / f"{NAME}.ipynb"
    answers = tmp_path / "helpers" / "answers.json"
    known = json.loads(answers.read_text("utf-8"))[NAME]
    assert known["1"]["form"]["kind"] == "whole" and known["2"]["form"]["shape"] == [1]
    notebook, found = with_exercises(path)
    assert [notebook.cells[e.solved].metadata.answer for e in found.values()] == [
        12,
        [0.5],
    ]
    folds = [cell for cell in notebook.cells if cell.source == "#### Solution"]
    assert all(cell.metadata["jp-MarkdownHeadingCollapsed"] for cell in folds)
    before = path.read_bytes(), answers.read_bytes()

    status, said = tool(tmp_path, "notebooks.execute", f"notebooks/{NAME}.ipynb")
    assert status == 0, said
    assert (path.read_bytes(), answers.read_bytes()) == before, "the same once more"

    notebook.cells[found["2"].solved].source = "# solution\nanswer_2 = object()"
    nbformat.write(notebook, path)
    broken = path.read_bytes()
    status, said = tool(tmp_path, "notebooks.execute", f"notebooks/{NAME}.ipynb")
    assert status == 1 and "answer_2 cannot be an answer" in said, said
    assert (path.read_bytes(), answers.read_bytes()) == (broken, before[1])


def test_notebooks_that_end_at_once_keep_each_others_answers(tmp_path, monkeypatch):
    """Each reads the file of all answers, and writes it with its own."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "helpers").mkdir()

    def slowly(truth, *given, **options):
        time.sleep(0.3)
        return stored(truth, *given, **options)

    monkeypatch.setattr(execute, "stored", slowly)
    executions = []
    for name in ("01-one", "02-two"):
        made = small_lecture.notebook(value("1", "12"))
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        nbformat.write(made, path)
        path.write_text(path.read_text("utf-8").replace(NAME, name), encoding="utf-8")
        executions.append(execute.Execution(path))
        solved = executions[-1].exercises["1"].solved
        executions[-1].answers[solved] = 12
    with ThreadPoolExecutor() as threads:
        list(threads.map(execute.Execution.save, executions))
    known = json.loads((tmp_path / "helpers" / "answers.json").read_text("utf-8"))
    assert {*known} == {"01-one", "02-two"}


def test_files_change_together_or_not_at_all(tmp_path, monkeypatch):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    first.write_text("old")
    second.mkdir()  # no file can take its place
    with pytest.raises(OSError):
        write_together({first: "new", third: "new", second: "new"})
    assert first.read_text() == "old" and not third.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}
    second.rmdir()
    write_together({first: "new", second: "new"})
    assert first.read_text() == second.read_text() == "new"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ('"01-small/1"', "twice"),
        ("truth_2", r"expected check\(answer_2"),
        ('"02-other/2"', r"expected check\(answer_2"),
        ('"01-small/3"', "has no solution"),
        ('"01-small/2", tolerance=wide', "expected a number as tolerance"),
        ('"01-small/2" $', "no plain Python"),
    ],
)
def test_an_exercise_of_another_form_is_a_sentence(changed, sentence):
    made = small_lecture.notebook(value("1", "12"), value("2", "13"))
    for cell in made.cells:
        cell.source = cell.source.replace(
            'check(answer_2, "01-small/2"', f"check(answer_2, {changed}"
        )
    with pytest.raises(ValueError, match=sentence):
        read_exercises(made, NAME)
