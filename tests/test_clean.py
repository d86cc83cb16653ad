"""`make clean` removes what the commands made, and nothing else."""

import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, run

from tools import clean

# What a user may have put anywhere, and what Python or JupyterLab put beside it.
MINE = (
    "notebooks/mine/work.py",
    "notebooks/mine old/.ipynb_checkpoints/work-checkpoint.ipynb",
    "notebooks/mine old/it's mine/__pycache__/kept.pyc",
    "notebooks/.ipynb_checkpoints/01-data-checkpoint.ipynb",
    'notebooks/a\nb/ü ä/"quoted".txt',
    "helpers/__pycache__x/kept",
    "other.egg-info/kept",
    "_site2/kept",
    "_homework/01-data/grades.csv",
    "_homework/my notes.txt",
    "_student/.git/config",
    "runs/baseline/x-425/run.json",
)
OURS = (
    ".venv/lib/x",
    "_site/index.html",
    ".quarto/x",
    "pages/play/network/weights.bin",
    "helpers/__pycache__/data.cpython-311.pyc",
    "tools/common/__pycache__/files.cpython-311.pyc",
    "_homework/02-model/autograder.zip",
    "_homework/02-model/student/02-model.ipynb",
)


def make(root, names):
    for name in names:
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        except OSError:  # a system that has no such names
            continue


@pytest.fixture
def lecture(tmp_path):
    """A copy of the program in a folder whose name needs care; its root."""
    root = tmp_path / "it's a lecture"
    (root / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "clean.py", root / "tools")
    shutil.copy(ROOT / "Makefile", root)
    make(root, MINE + OURS)
    return root


def files(root):
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


def test_clean_removes_what_was_made_and_keeps_what_is_the_users(lecture):
    before = files(lecture)
    status, said = run(lecture / "tools" / "clean.py", cwd=lecture.parent)
    assert status == 0, said
    assert before - files(lecture) == before & set(OURS)
    assert "_student is a repository" in said
    assert "_homework/01-data holds grades" in said
    status, _ = run(lecture / "tools" / "clean.py", cwd=lecture)
    assert status == 0, "a second time there is nothing to do"


def test_clean_follows_no_link(lecture, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    shutil.rmtree(lecture / "_site")
    (lecture / "_site").symlink_to(tmp_path / "elsewhere")
    clean.clean(lecture)
    assert (tmp_path / "elsewhere" / "kept").exists()
    assert not (lecture / "_site").is_symlink()


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_clean_works_where_there_is_no_environment(lecture):
    shutil.rmtree(lecture / ".venv")
    command = ["make", f"PYTHON={sys.executable}", "clean"]
    subprocess.run(command, cwd=lecture, check=True, capture_output=True)
    assert not (lecture / "pages" / "play" / "network").exists()
    assert (lecture / "notebooks" / "mine" / "work.py").exists()
