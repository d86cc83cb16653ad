"""Graded homework, made and graded by otter-grader with the commands of the page."""

import os
import re
import shutil
import sys

import nbformat
import pandas as pd
import pytest
from conftest import ROOT, run, save_notebook

pytest.importorskip("otter", reason="otter-grader is not installed")
if sys.platform == "win32":
    pytest.skip("submissions are graded on Linux and Macs", allow_module_level=True)

ANSWERS = {"1": "12", "2": '"red_quince"', "3": "(1, 2, 3)", "4": "2.31"}
LIMITS = ["--cell=30", "--seconds=300", "--gigabytes=3"]
CHEATS = """\
import helpers
import helpers.exercises

check = helpers.check = helpers.exercises.check = lambda *given: "Right."
"""
CONNECTS = 'import socket\n\nsocket.create_connection(("example.invalid", 80))\n'
# What stands in the cells of a submission, exercise by exercise, and what it deserves.
SUBMISSIONS = {
    "perfect": ({}, 5),
    "empty": (dict.fromkeys(ANSWERS, "answer_{n} = None"), 0),
    "half": ({"2": "answer_2 = 'oak'", "4": "answer_4 = 2.5"}, 2),
    "prints": (dict.fromkeys(ANSWERS, 'print("Right.")\nanswer_{n} = "Right."'), 0),
    "overwrites": (dict.fromkeys(ANSWERS, CHEATS + "answer_{n} = 0"), 0),
    "reads": ({"2": 'answer_2 = open("tests/q2.py").read().split("\'")[-2]'}, 4),
    "loops": ({"3": "while True:\n    pass"}, 4),
    "eats": ({"3": "answer_3 = ([1, 2, 3] * 10**9)[:3]"}, 4),
    "connects": ({"3": CONNECTS + "answer_3 = (1, 2, 3)"}, 4),
    "misspells": ({"1": "answer_1 = = 12"}, 4),
    "dies": ({"3": "import os\n\nos._exit(1)"}, 0),
}


def lecture():
    """Yield the cells of a small notebook, with exercises as the lecture has them."""
    yield ("from helpers import check",)
    for n, answer in ANSWERS.items():
        tolerance = ", tolerance=0.05" if n == "4" else ""
        call = f"check(answer_{n}, truth_{n}{tolerance})"
        tags = ["exercise", "points-2"] if n == "4" else ["exercise"]
        yield f"#| echo: false\ntruth_{n} = {answer}", *tags
        yield f"answer_{n} = None\n{call}", *tags
        yield f"# Solution\nanswer_{n} = {answer}\nprint({call})", "solution"


def do(root, tool, *arguments):
    own = os.environ | {"PYTHONPATH": str(root)}
    status, said = run("-m", f"tools.{tool}", *arguments, cwd=root, env=own)
    assert status == 0, said


@pytest.fixture(scope="module")
def homework(tmp_path_factory):
    """A lecture of one small notebook, of which the homework has been made."""
    root = tmp_path_factory.mktemp("lecture")
    for folder in ("helpers", "tools"):
        ignore = shutil.ignore_patterns("__pycache__", "answers.json")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignore)
    for folder in ("notebooks", "runs", "submissions"):
        (root / folder).mkdir()
    shutil.copy(ROOT / "runs" / "notebooks.csv", root / "runs")
    save_notebook(root / "notebooks" / "01-small.ipynb", *lecture())
    do(root, "notebooks.execute", "notebooks/01-small.ipynb")
    do(root, "editions.homework", "make", "01-small")
    return root


def test_a_submission_gets_the_points_that_it_deserves(homework):
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
    do(homework, "editions.homework", "grade", "01-small", *paths, *LIMITS)
    table = pd.read_csv(homework / "_homework" / "01-small" / "grades.csv")
    points = dict(zip(SUBMISSIONS, table["points"], strict=True))
    assert points == {name: deserved for name, (_, deserved) in SUBMISSIONS.items()}
    assert "died" in table["remark"].iloc[-1].lower(), "it says why it has no points"


def test_nothing_that_is_handed_out_has_an_answer(homework):
    student = homework / "_homework" / "01-small" / "student"
    assert not (student / "helpers" / "answers.json").exists()
    for path in (p for p in student.rglob("*") if p.is_file()):
        assert b"quince" not in path.read_bytes(), path
