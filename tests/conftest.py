import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import NoDataError, load_data

# Servers on this machine are asked directly, also where a proxy is set for all others.
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = f"127.0.0.1,localhost,{os.environ.get(name, '')}"
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
# The pages that are tested, and what they were made of: those of the student edition
# with LECTURE_SITE=_student/_site.
SITE = ROOT / os.environ.get("LECTURE_SITE", "_site")
LECTURE = SITE.parent
QUARTO_REQUIRED = os.environ.get("QUARTO") == "required"


# One worker runs a file. Those that take longest start first, or at the end one worker
# would wait for the other.
LONGEST = "homework learn browser adapt recording play data exercises isolation".split()


def pytest_collection_modifyitems(items):
    place = {f"test_{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def real_data():
    """CIFAR-100 itself; a test that needs it is skipped where it is not at hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIFAR100_STAND_IN", "never")
        try:
            return load_data(download=False)
        except NoDataError:
            pytest.skip("the real data is not at hand")


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """A machine without the data and without a network; the value is its cache."""
    monkeypatch.delenv("CIFAR100_DIR", raising=False)
    monkeypatch.delenv("CIFAR100_STAND_IN", raising=False)
    monkeypatch.setattr("helpers.data.CACHE", tmp_path / "c")
    monkeypatch.setattr("helpers.data.MIRRORS", [])
    return tmp_path / "c"


@pytest.fixture(scope="session")
def notebooks():
    """The committed notebooks by file name."""
    return {path.name: nbformat.read(path, as_version=4) for path in NOTEBOOKS}


def git_environment():
    """Return an environment in which git knows neither its user nor its caller."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder, *command):
    """Call git in a folder as somebody who is nobody in particular."""
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@x", *command]
    return subprocess.check_output(command, cwd=folder, env=git_environment())


@pytest.fixture(scope="session")
def committed(tmp_path_factory):
    """The repository as it stands, all committed; for tests that only read it."""
    try:
        listed = git(ROOT, "ls-files", "-z", "-c", "-o", "--exclude-standard")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git is not at hand")
    folder = tmp_path_factory.mktemp("committed")
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"]):
        git(folder, *command)
    return folder


@pytest.fixture
def clone(committed, tmp_path):
    """The repository as it stands, in a folder of its own, all committed."""
    git(tmp_path, "clone", "-q", committed, "clone")
    return tmp_path / "clone"


@pytest.fixture
def with_r(monkeypatch):
    """R with this Python; where something that it needs is missing, skip."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not at hand: nothing is run in R")
    monkeypatch.setenv("RETICULATE_PYTHON", sys.executable)
    monkeypatch.setenv("RETICULATE_CHECK_REQUIRED_PACKAGES", "no")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    script = 'for (p in c("dplyr", "ggplot2", "tidyr", "keras3"))'
    script += ' library(p, character.only = TRUE); cat("uses", config_backend())'
    command = ["Rscript", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if "uses tensorflow" not in done.stdout:
        errors = [x for x in done.stderr.splitlines() if x.startswith("Error")]
        reason = errors[0] if errors else "no reason given"
        pytest.skip(f"keras3 does not start ({reason}): nothing is run in R")


def start(*command, **options):
    """Start a Python program, whose output and errors can be read line by line."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = [sys.executable, *map(str, command)]
    return subprocess.Popen(command, **streams, **options)


def run(*command, **options):
    """Run a Python program; return its exit status, and what it printed."""
    process = start(*command, **options)
    try:
        said, _ = process.communicate(timeout=600)
    finally:
        process.kill()  # where it has not ended by itself
    return process.returncode, said


def save_notebook(path, *cells):
    """Write a notebook of texts, and of code as pairs of a source and its tags."""
    made = [
        nbformat.v4.new_markdown_cell(cell)
        if isinstance(cell, str)
        else nbformat.v4.new_code_cell(cell[0], metadata={"tags": [*cell[1:]]})
        for cell in cells
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=metadata), path)


def skip_or_fail(reason):
    """Skip a module for want of something, or fail where it was asked for.

    The workflows name the pages that they publish (LECTURE_SITE), and demand that
    Quarto made them (QUARTO=required): then nothing may be passed over.
    """
    if "LECTURE_SITE" in os.environ or QUARTO_REQUIRED:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def rendered_pages():
    """Return whether Quarto made the site, and its pages; without it, skip the module.

    Quarto makes a deck of the slides, which is no page; smalldocs makes a page.
    """
    index = SITE / "index.html"
    if not index.exists():
        skip_or_fail(f"there are no pages to test in {SITE}: run make site first")
    quarto = 'name="generator" content="quarto' in index.read_text(encoding="utf-8")
    if QUARTO_REQUIRED and not quarto:
        skip_or_fail(f"QUARTO=required, and the pages in {SITE} were made without it")
    sources = [LECTURE / "index.qmd", *sorted(LECTURE.glob("notebooks/*.ipynb"))]
    sources += sorted(LECTURE.glob("pages/*.qmd"))
    if not quarto:
        sources.append(LECTURE / "slides" / "index.qmd")
    names = [source.relative_to(LECTURE).with_suffix(".html") for source in sources]
    return quarto, [SITE / name for name in names]
