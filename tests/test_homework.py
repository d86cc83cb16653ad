"""Graded homework: a submission gets what its answers deserve, whatever it does.

Executing a submission takes seconds, so many are graded by one command, and each holds
several attacks. What needs no homework stands in test_grading.py.
"""

import contextlib
import io
import json
import os
import re
import signal
import socket
import sys
import textwrap
import time

import nbformat
import pandas as pd
import psutil
import pytest
import small_lecture
from conftest import start
from small_lecture import NAME, question, tool, value

from tools.editions.homework import grade as grading
from tools.editions.homework.make import checked, make
from tools.editions.homework.sandbox import Limits, Sandbox

if sys.platform != "linux":
    pytest.skip("submissions are graded on Linux", allow_module_level=True)

RIGHT = {
    "1": "answer_1 = 12",
    "2": "answer_2 = 'red_quince'",
    "3": "answer_3 = (1, 2, 3)",
    "4": "answer_4 = 2.31",
    "5": "def twice(numbers):\n    return [2 * n for n in numbers]",
}
# Exercises 6 to 9 are 1 to 4 once more: room for another attack of each kind.
TWINS = {"1": "6", "2": "7", "3": "8", "4": "9"}


def for_twin(number, source):
    """Return what was written for one exercise, for its twin."""
    return source.replace(f"answer_{number}", f"answer_{TWINS[number]}")


RIGHT |= {twin: for_twin(number, RIGHT[number]) for number, twin in TWINS.items()}
ASKED_5 = f'def twice(numbers):\n    ...\n\n\ncheck(twice([1, 2]), "{NAME}/5")'
EMPTY = {n: f"answer_{n} = None" for n in "12346789"} | {
    "5": "def twice(numbers):\n    ..."
}
SOLVED_5 = f"{RIGHT['5']}\n\n\nanswer_5 = twice([1, 2])"

# What a submission tries in place of one answer, and whether the answer counts all the
# same. Several are tried in one submission, one in each exercise and one in its twin;
# all other answers are right. ROOT stands for the instructor's folder. The answer that
# is wanted is that to exercise 2, "red_quince", which an attack must not contain.
ATTACKS = {
    "gives another form of the same number": ("1", True, "answer_1 = 12.0"),
    "has misspelt its answer": ("1", False, "answer_1 = = 12"),
    "leaves the interpreter": ("3", False, "import sys\n\nsys.exit()"),
    "never ends": ("4", False, "while True:\n    pass"),
    "eats memory": ("3", False, "answer_3 = ([1, 2, 3] * 10**9)[:3]"),
    "says a lot": ("4", True, "print('x' * 10_000_000)\nanswer_4 = 2.31"),
    "gives a number beyond its bins": ("4", False, "answer_4 = 1e308"),
    "prints that it is right": ("2", False, "print('Right.')\nanswer_2 = 'Right.'"),
    "knows the shown result of a function only": (
        "5",
        False,
        "def twice(numbers):\n    return [2, 4]",
    ),
    "makes an error in a function": ("5", False, "def twice(numbers):\n    1 / 0"),
    "lifts the limits": (
        "4",
        False,
        """
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (2**60, 2**60))
        answer_4 = 2.31
        """,
    ),
    "gives an answer that is equal to everything": (
        "1",
        False,
        """
        class Equal(float):
            __eq__ = __le__ = __ge__ = lambda *given: True
            __hash__ = None


        answer_1 = Equal(7)
        """,
    ),
    "replaces check": (
        "2",
        False,
        """
        import helpers.exercises

        check = helpers.check = helpers.exercises.check = lambda *given: "Right."
        helpers.exercises.digest = lambda *given: None
        answer_2 = "oak"
        """,
    ),
    "rewrites the helpers of its folder": (
        "2",
        False,
        """
        import pathlib

        pathlib.Path("helpers/exercises.py").write_text("written = lambda *given: 1")
        answer_2 = "oak"
        """,
    ),
}
# These would do harm, or find something, if they were not shut off.
SHUT_OFF = {
    "searches all files": (
        "2",
        False,
        """
        import os, re

        answer_2 = "nothing"
        for folder, folders, names in os.walk("/"):
            for skipped in {"proc", "sys", "usr", "dev", "site-packages"} & {*folders}:
                folders.remove(skipped)
            for name in names:
                try:
                    file = open(os.path.join(folder, name), errors="replace")
                    found = re.search("red[_ ]qu" + "ince", file.read(10**6))
                except OSError:
                    continue
                if found:
                    answer_2 = found[0]
        """,
    ),
    "opens the instructor's answers": (
        "2",
        False,
        """answer_2 = open("ROOT/_homework/01-small/answers.json").read()""",
    ),
    "searches the other processes": (
        "2",
        False,
        """
        import glob

        answer_2 = "nothing"
        for path in glob.glob("/proc/[0-9]*/[ec][nm][vd]*"):  # environ and cmdline
            try:
                text = open(path, errors="replace").read(10**6)
            except OSError:
                continue
            if "red_qu" + "ince" in text:
                answer_2 = "red_qu" + "ince"
        """,
    ),
    "searches the frames and objects of its process": (
        "2",
        False,
        """
        import gc, sys

        answer_2, wanted = "nothing", "red_qu" + "ince"
        places = [x for x in gc.get_objects() if type(x) is dict and x is not globals()]
        frame = sys._getframe().f_back
        while frame:
            places.append(frame.f_locals)
            frame = frame.f_back
        if any(wanted in [str(x) for x in place.values()] for place in places):
            answer_2 = wanted
        """,
    ),
    "writes grades": (
        "3",
        True,  # in a folder of its own world that has the same name
        """
        import os

        os.makedirs("ROOT/_homework/01-small", exist_ok=True)
        open("ROOT/_homework/01-small/grades.csv", "w").write("cheated")
        answer_3 = (1, 2, 3)
        """,
    ),
    "changes the packages": (
        "3",
        False,
        """
        import sysconfig

        place = sysconfig.get_path("purelib")
        open(f"{place}/cheated_homework.pth", "w").write("import cheated")
        answer_3 = (1, 2, 3)
        """,
    ),
    "makes the machine writable": (
        "3",
        False,
        """
        import os

        assert os.system("mount -o remount,rw /usr 2>/dev/null") == 0
        answer_3 = (1, 2, 3)
        """,
    ),
    # After this one, nothing is left for the others to find.
    "deletes everything": (
        "3",
        False,
        """
        import shutil

        for folder in ("ROOT", "/home/homework", "/home/student"):
            shutil.rmtree(folder, ignore_errors=True)
        answer_3 = 0
        """,
    ),
    "connects": (
        "4",
        False,
        """
        import socket

        socket.create_connection(("127.0.0.1", PORT), 5)
        answer_4 = 2.31
        """,
    ),
    "fills memory with empty files": (
        "1",
        False,
        """
        import os
        import shutil

        os.mkdir("many")
        try:
            for number in range(100_001):
                os.mknod(f"many/{number}")
            answer_1 = 12
        finally:  # or the attacks below have no room
            shutil.rmtree("many")
        """,
    ),
    "takes memory by its number": (
        "1",
        False,
        """
        import ctypes

        assert ctypes.CDLL(None).shmget(0, 10**7, 0o1600) >= 0
        answer_1 = 12
        """,
    ),
    "leaves a process behind": (
        "4",
        True,
        """
        import subprocess

        subprocess.Popen(["sleep", "98765"], start_new_session=True, env={})
        answer_4 = 2.31
        """,
    ),
    "writes results into the pipe": (
        "2",
        False,
        r"""
        import glob, os

        lines = [
            b'{"exercise": "2", "points": 100}',
            b'{"exercise": [], "answer": 1}',
            b'{"exercise": "2", "answer": ' + b"9" * 9999 + b"}",
            b'{"remark": "=1+1"}',
            b"[" * 100_000,
        ]
        for path in glob.glob(f"/proc/{os.getppid()}/fd/*"):
            if os.readlink(path).startswith("pipe"):
                with open(path, "wb", buffering=0) as pipe:
                    pipe.write(b"\n".join([b"", *lines, b""]))
        answer_2 = "oak"
        """,
    ),
}
# These do something to the whole submission: how many points of ten it deserves.
ALONE = {
    "replaces what writes its answers": (
        "2",
        1,
        """
        import json

        json.dumps = lambda *given, **more: '"Right."'
        """,
    ),
    "gives an endless answer": ("3", 2, "answer_3 = 'x' * 10_000_000"),
    "ends its own process": ("3", 2, "import os\n\nos._exit(1)"),
    "ends the one who reads its answers": (
        "3",
        2,
        "import os, signal\n\nos.kill(os.getppid(), signal.SIGKILL)",
    ),
    "hides memory in files without a name": (
        "3",
        2,
        """
        import os, time

        file = os.memfd_create("hidden")
        os.posix_fallocate(file, 0, 2_100_000_000)
        time.sleep(60)
        """,
    ),
}
ENDLESS = """
import time

while True:
    try:
        time.sleep(1)
    except KeyboardInterrupt:
        pass
"""
LIMITS = Limits(cell=10, seconds=300, gigabytes=2)


def packed(attacks):
    """Return submissions with one attack in each exercise, by name.

    Each is a dictionary from the exercise to the name of the attack.
    """
    packs = []
    for name, (number, *_) in attacks.items():
        places = [number, TWINS.get(number, number)]
        free = [(pack, n) for pack in packs for n in places if n not in pack]
        if not free:
            packs.append({})
            free = [(packs[-1], number)]
        pack, place = free[0]
        pack[place] = name
    return {f"attacks-{i}": pack for i, pack in enumerate(packs)}


@pytest.fixture(scope="module")
def homework(tmp_path_factory):
    """A lecture of one small notebook, of which the homework has been made."""
    made = small_lecture.notebook(
        value("1", "12"),
        value("2", '"red_quince"', explained="The red quince is one."),
        value("3", "(1, 2, 3)"),
        value("4", "2.31", ", tolerance=0.05", points=2),
        question("5", ASKED_5, SOLVED_5, hidden="hidden_5 = twice([3, 4, 5])"),
        value("6", "12"),
        value("7", '"red_quince"', explained="Quince again."),
        value("8", "(1, 2, 3)"),
        value("9", "2.31", ", tolerance=0.05"),
    )
    root = small_lecture.lecture(tmp_path_factory.mktemp("lecture"), made, "images")
    status, said = tool(root, "editions.homework", "make", NAME)
    assert status == 0, said
    return root


def submit(homework, name, changes=None):
    """Write a submission, all right but for some exercises; return its path."""
    folder = homework / "_homework" / NAME / "student"
    notebook = nbformat.read(folder / f"{NAME}.ipynb", as_version=4)
    answers = RIGHT | (changes or {})
    for cell in notebook.cells:
        asked = re.search(rf'"{NAME}/(\d)"', cell.source)
        if asked:
            given = textwrap.dedent(answers[asked[1]]).strip()
            cell.source = f"{given}\n{cell.source.splitlines()[-1]}"
    path = homework / "submissions" / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def grade(homework, can_shut_off):
    """Return a function that grades submissions, and returns what was printed."""

    def grade(*paths, protected=can_shut_off is None):
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.setattr(grading, "HOMEWORK", homework / "_homework")
            grading.grade(NAME, paths, LIMITS, protected=protected)
        return said.getvalue()

    return grade


def table(homework, name="grades"):
    path = homework / "_homework" / NAME / f"{name}.csv"
    return pd.read_csv(path, index_col="submission" if name == "grades" else "student")


@pytest.fixture(scope="module")
def can_shut_off(homework):
    folder = homework / "_homework" / NAME / "student"
    with Sandbox(folder, {}, Limits()) as sandbox:
        return sandbox.refused()


@pytest.fixture(scope="module")
def grades(homework, can_shut_off):
    """The rows of all submissions, graded by one command, and what they tried."""
    attacks = ATTACKS if can_shut_off else ATTACKS | SHUT_OFF
    packs = packed(attacks)
    paths = [submit(homework, "perfect"), submit(homework, "empty", EMPTY)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for name, pack in packs.items():
            sources = {}
            for place, attack in pack.items():
                number, _, source = attacks[attack]
                source = source if place == number else for_twin(number, source)
                source = source.replace("ROOT", str(homework))
                sources[place] = source.replace("PORT", port)
            paths.append(submit(homework, name, sources))
        for name, (number, _, source) in ALONE.items():
            paths.append(submit(homework, name, {number: source}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INSTRUCTOR", "red_quince")  # what other processes know
            options = [f"--{name}={most}" for name, most in LIMITS._asdict().items()]
            options += ["--jobs=2", *(["--unprotected"] if can_shut_off else [])]
            command = ["editions.homework", "grade", NAME, *paths, *options]
            status, said = tool(homework, *command)
    assert status == 0, said
    return table(homework), packs


def test_the_right_answers_get_all_points_and_none_get_none(grades):
    rows = grades[0]
    assert rows.loc["submissions/perfect.ipynb", ["points", "of"]].tolist() == [10, 10]
    assert rows.loc["submissions/empty.ipynb", ["points", "of"]].tolist() == [0, 10]


@pytest.mark.parametrize("name", ATTACKS | SHUT_OFF)
def test_an_answer_counts_for_its_value_only(name, grades, can_shut_off):
    if can_shut_off and name in SHUT_OFF:
        pytest.skip(f"submissions cannot be shut off here: {can_shut_off}")
    rows, packs = grades
    _, counts, _ = (ATTACKS | SHUT_OFF)[name]
    [(pack, place)] = [(p, n) for p in packs for n in packs[p] if packs[p][n] == name]
    row = rows.loc[f"submissions/{pack}.ipynb"]
    full = 2 if place == "4" else 1
    assert row[f"exercise {place}"] == (full if counts else 0), row.to_dict()
    others = {*RIGHT} - {*packs[pack]}
    assert all(row[f"exercise {other}"] > 0 for other in others), row.to_dict()


@pytest.mark.parametrize("name", ALONE)
def test_what_was_right_before_the_end_counts(name, grades):
    row = grades[0].loc[f"submissions/{name}.ipynb"]
    assert row["points"] == ALONE[name][1], row.to_dict()


def test_what_attacks_wanted_is_as_it_was(homework, grades):
    folder = homework / "_homework" / NAME
    assert (folder / "answers.json").exists() and (folder / "student").is_dir()
    assert "cheated" not in (folder / "grades.csv").read_text("utf-8").split("\n")[0]
    packages = [path for path in sys.path if path.endswith("site-packages")]
    assert not any(os.path.exists(f"{p}/cheated_homework.pth") for p in packages)
    commands = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"])]
    assert ["sleep", "98765"] not in commands


def test_remarks_say_why_points_are_missing(grades):
    remarks = grades[0]["remark"].fillna("")
    assert remarks["submissions/perfect.ipynb"] == ""
    assert remarks["submissions/ends its own process.ipynb"] == "ended its own process"
    endless = remarks["submissions/gives an endless answer.ipynb"]
    assert endless == "said more than 1 MB"
    hidden = remarks["submissions/hides memory in files without a name.ipynb"]
    assert hidden == "took 2 GB of memory"


def test_a_cell_that_takes_no_interruption_is_stopped(homework, can_shut_off):
    folder = homework / "_homework" / NAME
    key = json.loads((folder / "answers.json").read_text("utf-8"))
    limits = Limits(cell=2, seconds=20, gigabytes=2)
    task = folder / "student", grading.plan(key), limits
    with Sandbox(*task, protected=can_shut_off is None) as sandbox:
        result = sandbox.run(submit(homework, "endless", {"1": ENDLESS}))
    assert result.remark == "stopped after 20 s" and "1" not in result.said


def test_a_second_call_goes_on_and_drops_nothing(homework, grades, grade):
    late = submit(homework, "1234567_late")
    said = grade(homework / "submissions" / "perfect.ipynb", late)
    assert "1 of 2 have a row" in said, said
    assert set(table(homework).index) == {
        *grades[0].index,
        "submissions/1234567_late.ipynb",
    }
    assert table(homework, "gradebook").loc["1234567", "points"] == 10


def test_remaking_the_homework_keeps_grades_and_regrades_what_changed(
    homework, grades, grade
):
    answers = homework / "_homework" / NAME / "answers.json"
    before = answers.read_text("utf-8")
    status, said = tool(homework, "editions.homework", "make", NAME)
    assert status == 0, said
    assert answers.read_text("utf-8") == before
    assert set(grades[0].index) <= set(table(homework).index)
    key = json.loads(before)
    key["exercises"]["1"]["answer"] = 13
    answers.write_text(json.dumps(key), encoding="utf-8")
    said = grade(homework / "submissions" / "perfect.ipynb")
    answers.write_text(before, encoding="utf-8")
    assert "0 of 1 have a row" in said, said
    assert table(homework).loc["submissions/perfect.ipynb", "points"] == 9


def test_ctrl_c_keeps_the_rows_ends_the_children_and_the_next_call_goes_on(
    homework, can_shut_off, grade
):
    first = homework / "submissions" / "a first.ipynb"
    first.parent.mkdir(exist_ok=True)
    first.write_text("no notebook", encoding="utf-8")
    waits = "import time\n\ntime.sleep(5000)"
    paths = [first, submit(homework, "a second", {"1": waits})]
    options = ["--cell=4000", "--seconds=4000", "--jobs=1"]
    options += [] if can_shut_off is None else ["--unprotected"]
    process = start(
        *("-m", "tools.editions.homework", "grade", NAME, *paths, *options),
        cwd=homework,
        env=small_lecture.environment(homework),
    )
    lines = iter(process.stdout.readline, "")
    assert any("1 of 2" in line for line in lines)
    time.sleep(1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert "Stopped after 1 of 2" in said and process.returncode == 1, said
    assert children and not psutil.wait_procs(children, timeout=10)[1]
    remark = table(homework).loc["submissions/a first.ipynb", "remark"]
    assert remark == "no notebook that can be read"
    assert "submissions/a second.ipynb" not in table(homework).index
    submit(homework, "a second")
    assert "1 of 2 have a row" in grade(*paths)
    assert table(homework).loc["submissions/a second.ipynb", "points"] == 10


def test_without_protection_it_says_so_and_ends_what_was_left_behind(homework, grade):
    source = (
        "import subprocess\n\n"
        "subprocess.Popen(['sleep', '87654'], start_new_session=True)\nanswer_1 = 12"
    )
    grade(submit(homework, "open", {"1": source}), protected=False)
    assert table(homework).loc["submissions/open.ipynb", "points"] == 10
    commands = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"])]
    assert ["sleep", "87654"] not in commands


def test_what_cannot_be_graded_is_one_sentence(homework, monkeypatch):
    path = submit(homework, "some")
    monkeypatch.setattr(grading, "HOMEWORK", homework / "_homework")
    monkeypatch.setattr("tools.editions.homework.make.ROOT", homework)
    with pytest.raises(SystemExit, match="no part 01-smal: name one of 01-small"):
        make("01-smal")
    wrong = {
        ("01-smal", path): "answers.json is missing: make the homework first",
        (NAME, homework / "nothing.ipynb"): "nothing.ipynb is no file",
        (NAME, path, path): "two submissions are named submissions/some.ipynb",
    }
    for (name, *paths), sentence in wrong.items():
        with pytest.raises(SystemExit, match=sentence):
            grading.grade(name, paths, LIMITS)


def test_answers_that_are_older_than_their_solutions_are_not_graded_with(
    homework, monkeypatch
):
    """Of the code of a solution and of its hidden cell; words change no answer."""
    for name, path in {
        "ROOT": homework,
        "ANSWERS": homework / "helpers" / "answers.json",
    }.items():
        monkeypatch.setattr(f"tools.editions.homework.make.{name}", path)
    path = homework / "notebooks" / f"{NAME}.ipynb"
    before = path.read_text("utf-8")
    try:
        for old, new, changed in (
            ('answer_2 = \\"red_quince', 'answer_2 = \\"quince', "2"),
            ("hidden_5 = twice([3", "hidden_5 = twice([4", "5"),
            ("So it is.", "It is so.", None),
        ):
            assert old in before
            path.write_text(before.replace(old, new), encoding="utf-8")
            if changed is None:
                checked(NAME)
                continue
            sentence = f"solution of {NAME}/{changed} was changed since it ran"
            with pytest.raises(SystemExit, match=sentence):
                checked(NAME)
    finally:
        path.write_text(before, encoding="utf-8")


def test_nothing_that_is_handed_out_has_an_answer(homework):
    student = homework / "_homework" / NAME / "student"
    stored = json.loads((student / "helpers" / "answers.json").read_text("utf-8"))
    assert {a["hash"] for a in stored[NAME].values()} == {None}
    files = [path for path in student.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert b"quince" not in content and b"hidden_5" not in content, path


def test_the_hand_out_is_complete(homework):
    student = homework / "_homework" / NAME / "student"
    for name in ("README.md", "requirements.txt", "images/card.png", "helpers"):
        assert (student / name).exists(), name
    notebook = nbformat.read(student / f"{NAME}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links == ["images/card.png"], "the site of this lecture has no address"
    assert "- Exercise 4: 2" in (student / "README.md").read_text("utf-8")
