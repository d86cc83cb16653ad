"""Make the zip file that Gradescope grades with; otter-grader does it.

otter runs the tests inside the process of the submission. The tests carry all that they
need, so that changing the hand-out's `helpers` gains nothing, but whoever attacks otter
itself is not kept from it: `grade` is.
"""

import json
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from tools.common.exercises import stored
from tools.common.paths import ROOT
from tools.editions.homework.make import HOMEWORK

OTTER = ROOT / ".venv-homework" / "bin" / "otter"
TEST = '''\
"""Whether the answer to exercise {number} is right."""

from otter.test_files import test_case

OK_FORMAT = False
name = "q{number}"
points = {points}
READER = {reader!r}
STORED = {stored!r}
HIDDEN = {hidden!r}


def is_right(value, stored):
    reader = {{"__name__": "reader", "__file__": "reader.py"}}
    exec(READER, reader)
    try:
        written = reader["written"](value, reader["Form"](**stored["form"]))
    except reader["MisfitError"]:
        return False
    return reader["digest"](written, stored["salt"]) == stored["hash"]


@test_case(points={points}, hidden=True)
def test_right(env):
    assert is_right(eval({expression!r}, env), STORED[0])
    if HIDDEN is not None:
        exec(HIDDEN, env)
        assert is_right(env["hidden_{number}"], STORED[1])
'''
BRING = b"""
cd /autograder/source/files
mamba run -n otter-env python -m helpers.data --download
"""


def gradescope(name):
    """Make _homework/NAME/autograder.zip from the hand-out and its answers."""
    folder = HOMEWORK / name
    if not (folder / "answers.json").exists():
        raise SystemExit(
            f"Not made: {folder}/answers.json is missing: make {name} first."
        )
    if not OTTER.exists():
        raise SystemExit(
            f"Not made: otter-grader is not in {OTTER.parents[1].name}:"
            " pages/homework.qmd says how to bring it there."
        )
    key = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        shutil.copytree(folder / "student", work, dirs_exist_ok=True)
        (work / f"{name}.ipynb").unlink()
        (work / "tests").mkdir()
        for number, exercise in key["exercises"].items():
            (work / "tests" / f"q{number}.py").write_text(test(number, exercise))
        files = [p.name for p in work.iterdir() if p.name not in ("tests", "README.md")]
        command = [OTTER, "generate", "-t", "tests", "-o", "made.zip"]
        command += ["-r", "requirements.txt", "--python-version", "3.12", "--no-config"]
        done = subprocess.run([*map(str, command), *files], cwd=work)
        if done.returncode:
            raise SystemExit(f"Not made: otter generate failed for {name}, see above.")
        with_data(work / "made.zip", folder / "autograder.zip", key["data"])
    print(f"Upload {folder / 'autograder.zip'} to Gradescope.")


def test(number, exercise):
    """Return the file of one test, which holds hashes instead of the answers."""
    tolerance = exercise["tolerance"]
    kept = [stored(exercise["answer"], tolerance)]
    if exercise["hidden"] is not None:
        kept.append(stored(exercise["hidden_answer"], tolerance))
    return TEST.format(
        number=number,
        points=exercise["points"],
        expression=exercise["expression"],
        hidden=exercise["hidden"],
        reader=(ROOT / "helpers" / "exercises.py").read_text(encoding="utf-8"),
        stored=kept,
    )


def with_data(made, archive, needed):
    """Copy a zip file; if need be, its set-up brings the data as well, once."""
    new = archive.with_name(archive.name + ".new")
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(new, "w") as copy:
        for item in old.namelist():
            more = BRING if needed and item == "setup.sh" else b""
            copy.writestr(item, old.read(item) + more)
    new.replace(archive)
