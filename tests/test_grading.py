"""What grading promises beside the points: limits that hold, tables that keep up.

What takes a whole homework with its submissions stands in test_homework.py.
"""

import json
import os
import re
import sys
import textwrap
import threading
import types

import filelock
import nbformat
import pandas as pd
import pytest
from conftest import run

from tools.editions.homework import grade as grading
from tools.editions.homework import make
from tools.editions.homework.make import LINK, lead_somewhere
from tools.editions.homework.sandbox import HERE, Limits, Result, Sandbox, read

if sys.platform != "linux":
    pytest.skip("submissions are graded on Linux", allow_module_level=True)

NAME = "01-small"
KEY = {"data": False, "exercises": {"1": {"points": 1, "tolerance": None}}}
# What submissions might try to get memory that nobody counts, or a way out.
CALLS = {
    "a namespace of users": "libc.unshare(0x10000000)",
    "a namespace of mounts": "libc.unshare(0x20000)",
    "a process in a new namespace": "libc.syscall(CLONE, 0x10000011, 0, 0, 0, 0)",
    "a mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "a mount without a place": "libc.syscall(430, b'tmpfs', 0)",  # fsopen
    "another's namespace": "libc.setns(0, 0)",
    "a queue of calls": "libc.syscall(425, 1, ctypes.create_string_buffer(120))",
    "a socket to the host": "libc.socket(40, 1, 0)",  # vsock
    "a socket for ciphers": "libc.socket(38, 5, 0)",
}
WORKS = """
import asyncio, os, socket, subprocess, threading
thread = threading.Thread(target=socket.socketpair)
thread.start(), thread.join()
socket.socket(socket.AF_INET).close(), socket.socket(socket.AF_INET6).close()
asyncio.run(asyncio.sleep(0))
assert subprocess.run(["true"]).returncode == 0 and os.waitstatus_to_exitcode(
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]
) == 0
print("all works")
"""


def forbidden(code):
    """Run code in a process with the filter; return its status and what it said."""
    head = f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport forbid\n"
    return run(
        "-c",
        f"{head}try:\n    forbid.forbid()\nexcept OSError as e:\n"
        f"    print('no filter', e)\n    sys.exit(77)\n{textwrap.dedent(code)}",
    )


def test_what_programs_need_is_not_forbidden():
    status, said = forbidden(WORKS)
    if status == 77:
        pytest.skip(said)
    assert (status, said) == (0, "all works\n")


@pytest.mark.parametrize("name", CALLS)
def test_calls_round_the_limits_are_refused(name):
    code = f"""
    import ctypes, os, platform
    libc = ctypes.CDLL(None, use_errno=True)
    CLONE = {{"x86_64": 56, "aarch64": 220}}[platform.machine()]
    me = os.getpid()
    result = {CALLS[name]}
    if os.getpid() == me:
        print("refused" if result == -1 else f"done: {{result}}")
        print(os.strerror(ctypes.get_errno()))
    """
    status, said = forbidden(code)
    if status == 77:
        pytest.skip(said)
    first, why = said.splitlines()
    assert status == 0 and first == "refused", said
    assert why in (
        "Operation not permitted",
        "Function not implemented",
        "Address family not supported by protocol",
    )


@pytest.fixture
def part(tmp_path, monkeypatch):
    """A part of which homework was made; the value is its folder."""
    monkeypatch.setattr(grading, "HOMEWORK", tmp_path)
    monkeypatch.setattr(make, "HOMEWORK", tmp_path)
    (tmp_path / NAME / "student").mkdir(parents=True)
    (tmp_path / NAME / "answers.json").write_text(json.dumps(KEY), encoding="utf-8")
    return tmp_path / NAME


def test_a_submission_has_the_filter_and_needs_no_outputs(tmp_path):
    """Some programs leave out what notebooks must have, or add what they must not."""
    handout, path = tmp_path / "student", tmp_path / "a.ipynb"
    handout.mkdir()
    sources = [
        "import ctypes\nlibc = ctypes.CDLL(None)",
        "answer_1 = [libc.unshare(0x10000000), libc.socket(40, 1, 0)]",
    ]
    cells = [{"cell_type": "code", "source": source} for source in sources]
    cells += [{"cell_type": "markdown", "source": ["a\n", "b"], "outputs": []}]
    cells += [{"cell_type": "code", "more": 1}]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    exercise = {"name": f"{NAME}/1", "expression": "answer_1", "hidden": None}
    with Sandbox(handout, {"1": exercise}, Limits(seconds=300)) as sandbox:
        if refused := sandbox.refused():
            pytest.skip(f"submissions cannot be shut off here: {refused}")
        result = sandbox.run(path)
    assert result.remark == "", result
    assert result.said == {"1": {"answer": [-1, -1]}}


def test_nothing_is_made_while_a_part_is_graded(part, monkeypatch):
    monkeypatch.setattr(make, "checked", lambda name: (nbformat.v4.new_notebook(), {}))
    with filelock.FileLock(part / "lock"):
        with pytest.raises(SystemExit, match="Not made: 01-small is being made or gra"):
            make.make(NAME)
        with pytest.raises(SystemExit, match="Not graded: 01-small is being made or"):
            grading.grade(NAME, [], Limits())
    assert (part / "student").is_dir() and (part / "answers.json").exists()


def test_what_was_put_beside_the_hand_out_is_not_removed(part, monkeypatch):
    monkeypatch.setattr(make, "checked", lambda name: (nbformat.v4.new_notebook(), {}))
    monkeypatch.setattr(make, "ROOT", part.parents[1])
    handed_in = part / "student" / "handed in" / "ann's 1234567.ipynb"
    handed_in.parent.mkdir()
    handed_in.touch()
    with pytest.raises(SystemExit, match=r"/ann's 1234567\.ipynb, which"):
        make.make(NAME)
    assert handed_in.exists()


class Right:
    """A sandbox in which a submission does something, and nothing is executed."""

    stop = threading.Event()

    def __init__(self, meanwhile=lambda path: None):
        self.meanwhile = meanwhile

    def run(self, path):
        self.meanwhile(path)
        return Result({}, "", 1, 1)


def grade_files(folder, sandbox, *paths, student=None):
    """Grade submissions without executing them; return the table of grades."""
    grades = grading.Grades(folder, KEY, student)
    contents = {path: grading.sha256(path) for path in paths}
    grading.grade_all(contents, sandbox, grades, 1)
    return grades


def graded(part, *names, student=None):
    """Grade submissions of that name; return who has a row, by submission."""
    paths = [part.parent / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    grade_files(part, Right(), *paths, student=student)
    table = pd.read_csv(part / "grades.csv", dtype=str)
    book = pd.read_csv(part / "gradebook.csv", dtype=str)
    assert {*book["student"]} == {*table["student"]}
    return dict(zip(table["submission"], table["student"], strict=True))


def test_the_student_is_found_in_the_file_or_else_in_its_folder(part):
    rows = graded(part, "1234567_Doe/a.ipynb", "12345/b-7654321.ipynb", "Roe/c.ipynb")
    assert [*rows.values()] == ["1234567", "7654321", "c"]


def test_another_pattern_holds_for_the_rows_that_are_there_and_for_later_calls(part):
    assert [*graded(part, "s/ab-12-2025.ipynb").values()] == ["2025"]
    rows = graded(part, "s/cd-34-2025.ipynb", student="[a-z]+-[0-9]+")
    assert [*rows.values()] == ["ab-12", "cd-34"]
    rows = graded(part, "s/ef-56-2025.ipynb")
    assert [*rows.values()] == ["ab-12", "cd-34", "ef-56"]
    assert [*graded(part, student="[a-z]+").values()] == ["ab", "cd", "ef"]
    with pytest.raises(SystemExit, match="is no regular expression"):
        graded(part, student="(")


def test_the_readme_of_a_hand_out_has_the_title_of_its_part():
    cells = [
        nbformat.v4.new_code_cell("# 1"),
        nbformat.v4.new_markdown_cell("# A\n\nb"),
    ]
    assert make.title_of(nbformat.v4.new_notebook(cells=cells), NAME) == "A"
    assert make.title_of(nbformat.v4.new_notebook(), NAME) == NAME


def test_the_data_of_a_course_is_shown_to_its_submissions(monkeypatch, tmp_path):
    class Data:
        folder = str(tmp_path)

    monkeypatch.setattr("helpers.data.load_data", lambda download: Data)
    assert grading.data_folder() == tmp_path
    Data.folder = None
    assert grading.data_folder() is None


def test_grading_on_the_stand_in_is_refused(no_data, monkeypatch):
    with pytest.raises(SystemExit, match="belong to the real images"):
        grading.data_folder()
    monkeypatch.setenv("CIFAR100_STAND_IN", "always")
    with pytest.raises(SystemExit, match="belong to the real images"):
        grading.data_folder()


def test_a_name_does_nothing_to_terminals_spreadsheets_and_other_rows(tmp_path, capsys):
    names = [
        b"=cmd.ipynb",
        b"a\x1b[2J.ipynb",
        b"\xff.ipynb",
        b"b\nc.ipynb",
        b"d;=e.ipynb",
    ]
    paths = [tmp_path / os.fsdecode(name) for name in names]
    for path in paths:
        path.write_text("{}", encoding="utf-8")
    grades = grade_files(tmp_path, Right(), *paths)
    assert "\x1b" not in capsys.readouterr().out
    for name in ("grades.csv", "gradebook.csv"):
        text = (tmp_path / name).read_text("utf-8")
        assert not re.search(r"(^|[,;])[=+@-]|\x1b", text, re.M), text
        assert len(text.splitlines()) == 1 + len(names)
    again = grading.Grades(tmp_path, grades.key, grading.STUDENT)
    assert all(again.has(path, grading.sha256(path)) for path in paths), grades.rows


def test_what_changes_while_it_is_graded_is_graded_again(tmp_path):
    path = tmp_path / "1234567.ipynb"
    path.write_text("{}", encoding="utf-8")
    grades = grade_files(tmp_path, Right(lambda path: path.write_text("{ }")), path)
    assert grades.rows and not grades.has(path, grading.sha256(path))


def test_what_could_not_be_graded_has_no_row_and_is_counted(tmp_path):
    def fail(path):
        if path.stem == "a":
            raise RuntimeError("no room")

    paths = [tmp_path / "a.ipynb", tmp_path / "b.ipynb"]
    for path in paths:
        path.write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match="1 of 2 could not be graded"):
        grade_files(tmp_path, Right(fail), *paths)
    table = pd.read_csv(tmp_path / "grades.csv")
    assert table["submission"].tolist() == [f"{tmp_path.name}/b.ipynb"]


def test_a_link_gets_nothing_and_what_does_not_start_is_no_fault(tmp_path, monkeypatch):
    handout, path = tmp_path / "student", tmp_path / "a.ipynb"
    handout.mkdir()
    path.write_text("{}", encoding="utf-8")
    link = tmp_path / "b.ipynb"
    link.symlink_to(path)
    with Sandbox(handout, {}, Limits(), protected=False) as sandbox:
        assert sandbox.run(link).remark == "a link to another file"
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(RuntimeError, match="could not start"):
            sandbox.run(path)


def test_grades_that_cannot_be_written_are_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "HOMEWORK", tmp_path)
    (tmp_path / NAME / "lock").mkdir(parents=True)
    text = json.dumps({"data": False, "exercises": {}})
    (tmp_path / NAME / "answers.json").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match="nothing can be written to"):
        grading.grade(NAME, [], Limits())


def test_submissions_that_could_read_the_answers_are_not_executed(tmp_path):
    sandbox = Sandbox(tmp_path, {}, Limits(), [tmp_path / "data"])
    assert sandbox.shows([tmp_path, tmp_path / "database"]) is None
    answers = tmp_path / "data" / "_homework"
    assert sandbox.shows([tmp_path, answers]) == (answers, tmp_path / "data")


def test_lines_that_are_no_answers_are_passed_over():
    lines = b'7\n[]\n{"exercise": {}}\n{"exercise": "9", "answer": 1}\n\xff\n'
    lines += b"[" * 10_000 + b'\n{"exercise": "1", "answer": 3}\n{"remark": "=cmd"}'
    assert read(lines, {"1": {}}) == ({"1": {"answer": 3}}, "ended before its end")


def test_links_of_the_hand_out_lead_to_the_site(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.editions.homework.make.ROOT", tmp_path)
    site = "website:\n  site-url: https://example.org/course/\n"
    (tmp_path / "_quarto.yml").write_text(site, encoding="utf-8")
    changed = {
        "[a](02-model.ipynb#b)": "[a](https://example.org/course/notebooks/02-model.html#b)",
        "[a](../pages/play.qmd)": "[a](https://example.org/course/pages/play.html)",
        "![a](../images/x.svg)": "![a](images/x.svg)",
        "[a](https://keras.io)": "[a](https://keras.io)",
    }
    for link, expected in changed.items():
        assert LINK.sub(lead_somewhere, link) == expected


def test_a_test_for_gradescope_needs_nothing_of_the_submission(monkeypatch):
    """It is run here as otter runs it, with what a submission has defined."""
    from tools.editions.homework.gradescope import test as written_test

    module = types.ModuleType("otter.test_files")
    module.test_case = lambda **options: lambda function: function
    monkeypatch.setitem(sys.modules, "otter.test_files", module)
    exercise = {
        "expression": "twice([1, 2])",
        "tolerance": None,
        "points": 1,
        "answer": [2, 4],
        "hidden": "hidden_5 = twice([5])",
        "hidden_answer": [10],
    }
    source = written_test("5", exercise)
    assert "[2, 4]" not in source and "[10]" not in source
    test = {}
    exec(source, test)
    # What a submission replaces is not what the test looks at.
    monkeypatch.setattr("helpers.exercises.digest", lambda *given: None)
    monkeypatch.setattr("helpers.exercises.written", lambda *given: "")
    test["test_right"]({"twice": lambda numbers: [2 * n for n in numbers]})
    for wrong in (lambda numbers: [2, 4], lambda numbers: "Right."):
        with pytest.raises(AssertionError):
            test["test_right"]({"twice": wrong})
