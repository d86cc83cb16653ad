"""What grading promises beside the points: limits that hold, tables that keep up."""

import json
import sys
import textwrap
import threading

import filelock
import nbformat
import pandas as pd
import pytest
from conftest import run

from tools.editions.homework import grade as grading
from tools.editions.homework import make
from tools.editions.homework.sandbox import HERE, Limits, Result, Sandbox

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
    """A sandbox in which nothing is executed."""

    stop = threading.Event()

    def run(self, path):
        return Result({}, "", 1, 1)


def graded(part, *names, student=None):
    """Grade submissions of that name; return who has a row, by submission."""
    paths = [part.parent / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    grades = grading.Grades(part, KEY, student)
    grading.grade_all(
        {path: grading.sha256(path) for path in paths}, Right(), grades, 1
    )
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
