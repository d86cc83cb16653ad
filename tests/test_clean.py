"""`make clean` removes what the commands made, and nothing else."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack

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
    "helpers/mine/__pycache__/notes.txt",
    "other.egg-info/kept",
    "_site2/kept",
    "_homework/01-data/grades.csv",
    "_homework/my notes.txt",
    "_student/.git/config",
    "_homework/03-training/submissions/ann.ipynb",
    "runs/baseline/x-425/run.json",
    "_site/my notes.txt",
    "_site/pages/it's ü.pdf",
    "slides/figures/drawn by hand.svg",
    "slides/figures/mine/a.svg",
    "pages/play/network/mine.bin",
)
OURS = (
    ".venv/lib/x",
    ".venv/made-for",
    "_site/index.html",
    "_site/pages/data.html",
    "_site/site_libs/a/b.js",
    ".quarto/x",
    "pages/play/network/weights.bin",
    "slides/figures/history.svg",
    "helpers/__pycache__/data.cpython-311.pyc",
    "tools/common/__pycache__/files.cpython-311.pyc",
    "_homework/02-model/autograder.zip",
    "_homework/02-model/student/02-model.ipynb",
    "_homework/02-model/answers.json",
    "_homework/02-model/lock",
    "_homework/03-training/autograder.zip",
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
    make(root, MINE)
    with ExitStack() as stack:
        for name in clean.MADE:
            stack.enter_context(clean.making(name, root))
        make(root, OURS)
    return root


def files(root):
    found = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    return {name for name in found if not name.startswith(clean.LISTS)}


def test_clean_removes_what_was_made_and_keeps_what_is_the_users(lecture):
    before = files(lecture)
    status, said = run(lecture / "tools" / "clean.py", cwd=lecture.parent)
    assert status == 0, said
    assert before - files(lecture) == before & set(OURS)
    assert "_student is a repository" in said
    assert "_homework/01-data holds grades" in said
    assert "_homework/03-training holds other files" in said
    assert "_site has my notes.txt and 1 more, not known to be made here" in said
    assert not (lecture / "_site" / "site_libs").exists(), "folders that are empty"
    status, _ = run(lecture / "tools" / "clean.py", cwd=lecture)
    assert status == 0, "a second time there is nothing to do"


def test_venv_of_the_users_own_stays(lecture):
    (lecture / ".venv" / "made-for").unlink()
    assert ".venv was not made by set-up" in clean.clean(lecture)[0]
    assert (lecture / ".venv" / "lib" / "x").exists()


def test_pages_that_are_a_repository_stay(lecture):
    (lecture / "_site" / ".git").write_text("gitdir: elsewhere")
    assert "_site is a repository now" in " ".join(clean.clean(lecture))
    assert (lecture / "_site" / "index.html").exists()


def test_making_afresh_keeps_what_was_not_made(lecture):
    """Also where a program empties the folder, as both that render pages do."""
    site = lecture / "_site"
    make(site, [".git/config", "CNAME"])
    with clean.making("_site", lecture):
        assert not any(site.iterdir()), "what was made is gone, the rest out of reach"
        make(site, ["new.html", "pages/new.html"])
    mine = {".git/config", "CNAME", "my notes.txt", "pages/it's ü.pdf"}
    assert files(site) == mine | {"new.html", "pages/new.html"}
    with pytest.raises(ZeroDivisionError), clean.making("_site", lecture, afresh=False):
        make(site, ["slides.html"])
        raise ZeroDivisionError
    assert (site / "new.html").exists()
    shutil.rmtree(site / ".git")
    said = clean.clean(lecture)
    assert files(site) == mine - {".git/config"}, said


def test_what_was_set_aside_comes_back_after_a_kill(lecture):
    program = "import os, sys; from pathlib import Path; from tools import clean"
    program += "; clean.making('_site', Path(sys.argv[1])).__enter__()"
    program += "; Path(sys.argv[1], '_site', 'half.html').touch(); os._exit(9)"
    status, said = run("-c", program, lecture, cwd=ROOT)
    assert status == 9, said
    with clean.making("_site", lecture):
        make(lecture, ["_site/half.html"])
    assert {"my notes.txt", "half.html"} <= files(lecture / "_site")
    clean.clean(lecture)
    assert files(lecture / "_site") == {"my notes.txt", "pages/it's ü.pdf"}


def test_a_name_that_the_code_page_lacks_is_told_all_the_same(lecture):
    shutil.rmtree(lecture / "_site")
    make(lecture, ["_site/ćwiczenia.txt"])
    coded = os.environ | {"PYTHONIOENCODING": "cp1252"}
    status, said = run(lecture / "tools" / "clean.py", env=coded)
    assert status == 0 and r"_site has \u0107wiczenia.txt, not known" in said


def test_without_its_list_nothing_is_removed(lecture):
    shutil.rmtree(lecture / clean.LISTS)
    before = files(lecture / "_site")
    assert "not known to be made here" in " ".join(clean.clean(lecture))
    assert files(lecture / "_site") == before


def test_student_edition_goes_unless_something_was_added(lecture):
    shutil.rmtree(lecture / "_student")
    make(lecture, ["_student/Makefile", "_student/_site/index.html", "_student/dates"])
    assert "_student has dates, which is not ours" in " ".join(clean.clean(lecture))
    (lecture / "_student" / "dates").unlink()
    assert "_student" not in " ".join(clean.clean(lecture))
    assert not (lecture / "_student").exists()


@pytest.mark.parametrize(
    "mine",
    [
        "_student/notebooks/week 1.ipynb",
        "_student/notebooks/it's mine: ü/a.txt",
        "_student/my.pages/.hidden",
        "_homework/02-model/student/1234567.ipynb",
        "_homework/02-model/student/handed in/02-model.ipynb",
    ],
)
def test_what_was_added_to_a_copy_keeps_it(lecture, mine):
    """However deep it lies; without it, the copy goes."""
    shutil.rmtree(lecture / "_student")
    copies = ["_student/notebooks/01.ipynb", "_homework/02-model/student/README.md"]
    make(lecture, ["notebooks/01.ipynb", "_student/_site/x.html", *copies, mine])
    kept = mine.split("/")[0]
    said = " ".join(clean.clean(lecture))
    assert (lecture / mine).exists() and f"{kept}" in said and "is not ours" in said
    (lecture / mine).unlink()
    while not any((lecture / mine).parent.iterdir()):
        mine = mine.rpartition("/")[0]
        (lecture / mine).rmdir()
    assert "is not ours" not in " ".join(clean.clean(lecture))
    assert not any((lecture / copy).exists() for copy in copies)


def test_hooks_of_another_repository_stay(lecture, tmp_path, monkeypatch):
    """The lecture was unpacked inside another repository, or git was told of one."""

    def git(*command):
        done = ["git", *command]
        return subprocess.run(done, cwd=tmp_path, capture_output=True, text=True)

    if not shutil.which("git"):
        pytest.skip("git is not at hand")
    git("init", "-q")
    git("config", "diff.jupyternotebook.command", clean.HOOKS)
    clean.clean(lecture)
    assert git("config", "diff.jupyternotebook.command").stdout.strip() == clean.HOOKS
    make(lecture, [".venv/made-for"])
    subprocess.run(["git", "init", "-q"], cwd=lecture, check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    clean.clean(lecture)
    assert git("config", "diff.jupyternotebook.command").stdout.strip() == clean.HOOKS


def test_clean_follows_no_link(lecture, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    shutil.rmtree(lecture / "_site")
    (lecture / "_site").symlink_to(tmp_path / "elsewhere")
    make(tmp_path, ["elsewhere/__pycache__/kept.pyc"])
    (lecture / "tests").symlink_to(tmp_path / "elsewhere")
    (lecture / "helpers" / "link").symlink_to(tmp_path / "elsewhere")
    said = clean.clean(lecture)
    assert "_site is a link, which was not made here" in " ".join(said)
    assert (tmp_path / "elsewhere" / "kept").exists()
    assert (tmp_path / "elsewhere" / "__pycache__" / "kept.pyc").exists()
    with (
        pytest.raises(OSError, match="is a link, expected a folder or nothing"),
        clean.making("_site", lecture),
    ):
        pass
    assert os.listdir(tmp_path / "elsewhere") != []


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_clean_works_where_there_is_no_environment(lecture):
    shutil.rmtree(lecture / ".venv")
    command = ["make", f"PYTHON={sys.executable}", "clean"]
    subprocess.run(command, cwd=lecture, check=True, capture_output=True)
    assert not (lecture / "pages" / "play" / "network" / "weights.bin").exists()
    assert (lecture / "notebooks" / "mine" / "work.py").exists()
