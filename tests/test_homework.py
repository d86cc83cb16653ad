"""Graded homework, made and graded by otter-grader with the commands of the page."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytest.importorskip("otter", reason="otter-grader is not installed")
if sys.platform == "win32":
    pytest.skip("submissions are graded on Linux and Macs", allow_module_level=True)

ANSWERS = {"1": "12", "2": '"maple_tree"', "3": "(1, 2, 3)", "4": "2.31"}
LIMITS = ["--cell=30", "--seconds=300", "--gigabytes=3"]
CHEATS = """\
import helpers
import helpers.exercises

check = helpers.check = helpers.exercises.check = lambda *given: "Right."
"""
# What stands in the cells of a submission, exercise by exercise, and what it deserves.
SUBMISSIONS = {
    "perfect": ({}, 5),
    "empty": (dict.fromkeys(ANSWERS, "answer_{n} = None"), 0),
    "half": ({"2": "answer_2 = 'oak'", "4": "answer_4 = 2.5"}, 2),
    "prints": (dict.fromkeys(ANSWERS, 'print("Right.")\nanswer_{n} = "Right."'), 0),
    "overwrites": (dict.fromkeys(ANSWERS, CHEATS + "answer_{n} = 0"), 0),
    "reads": ({"2": 'answer_2 = open("tests/q2.py").read().split("\'")[-2]'}, 4),
    "loops": ({"3": "while True:\n    pass"}, 4),
    "eats": (
        {"3": "import numpy as np\n\nanswer_3 = np.ones(10**9)[:3] * [1, 2, 3]"},
        4,
    ),
    "connects": (
        {"3": 'import socket\n\nsocket.create_connection(("example.invalid", 80))'},
        4,
    ),
    "misspells": ({"1": "answer_1 = = 12"}, 4),
    "dies": ({"3": "import os\n\nos._exit(1)"}, 0),
}


def lecture():
    """Return a small notebook with exercises as the lecture's have them."""
    cells = [new_code_cell("from helpers import check")]
    for n, answer in ANSWERS.items():
        tolerance = ", tolerance=0.05" if n == "4" else ""
        call = f"check(answer_{n}, truth_{n}{tolerance})"
        tags = ["exercise", "points-2"] if n == "4" else ["exercise"]
        for source, tagged in (
            (f"#| echo: false\ntruth_{n} = {answer}", tags),
            (f"answer_{n} = None\n{call}", tags),
            (f"# Solution\nanswer_{n} = {answer}\nprint({call})", ["solution"]),
        ):
            cells.append(new_code_cell(source, metadata={"tags": tagged}))
        cells.append(new_markdown_cell("The end.", metadata={"tags": ["solution"]}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def homework(tmp_path_factory):
    """A lecture of one small notebook, of which the homework has been made."""
    root = tmp_path_factory.mktemp("lecture")
    for folder in ("helpers", "tools", "tests/guard"):
        ignore = shutil.ignore_patterns("__pycache__", "answers.json")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignore)
    for folder in ("notebooks", "runs", "submissions"):
        (root / folder).mkdir()
    shutil.copy(ROOT / "runs" / "notebooks.csv", root / "runs")
    nbformat.write(lecture(), root / "notebooks" / "01-small.ipynb")
    run(root, "execute.py", "notebooks/01-small.ipynb")
    run(root, "homework.py", "make", "01-small")
    return root


def run(root, tool, *arguments):
    command = [sys.executable, f"tools/{tool}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module")
def grades(homework):
    handed_out = homework / "_homework" / "01-small" / "student" / "01-small.ipynb"
    for name, (changes, _) in SUBMISSIONS.items():
        notebook = nbformat.read(handed_out, as_version=4)
        for cell in notebook.cells:
            asked = re.fullmatch(r"answer_(\d) = None", cell.source)
            if asked:
                right = f"answer_{asked[1]} = {ANSWERS[asked[1]]}"
                cell.source = changes.get(asked[1], right).replace("{n}", asked[1])
        nbformat.write(notebook, homework / "submissions" / f"{name}.ipynb")
    paths = [f"submissions/{name}.ipynb" for name in SUBMISSIONS]
    run(homework, "homework.py", "grade", "01-small", *paths, *LIMITS)
    table = pd.read_csv(homework / "_homework" / "01-small" / "grades.csv")
    return table.set_index("submission")


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_a_submission_gets_the_points_that_it_deserves(name, grades):
    assert grades["points"][f"{name}.ipynb"] == SUBMISSIONS[name][1]


def test_a_submission_that_cannot_be_graded_says_why(grades):
    assert "died" in grades["remark"]["dies.ipynb"].lower()


def test_nothing_that_is_handed_out_has_an_answer(homework):
    student = homework / "_homework" / "01-small" / "student"
    assert not (student / "helpers" / "answers.json").exists()
    for path in (
        p for p in student.rglob("*") if p.suffix in (".ipynb", ".json", ".py")
    ):
        text = path.read_text("utf-8")
        assert "maple" not in text and "# Solution" not in text, path


def test_answers_are_kept_as_hashes_only(homework):
    kept = json.loads((homework / "helpers" / "answers.json").read_text("utf-8"))
    assert set(kept["01-small"]) == set(ANSWERS)
    assert "maple" not in str(kept)
