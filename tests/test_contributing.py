"""What keeps changes small, readable and checked: hooks, diffs of notebooks, CI."""

import os
import re
import subprocess
import sys

import nbformat
import pytest
import yaml
from conftest import ROOT, git_environment

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
posix = pytest.mark.skipif(os.name != "posix", reason="the hooks need make")


@pytest.fixture
def hooked(clone):
    """A clone in which the hooks are set up, and a way to run a command in it."""
    (clone / ".venv").symlink_to(sys.prefix)
    environment = git_environment()
    environment["PRE_COMMIT_HOME"] = str(clone.parent / "pre-commit")
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x@example.org"}

    def run(*command):
        result = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True
        )
        return result.returncode, result.stdout + result.stderr

    status, said = run("make", "-o", ".venv/ready", "hooks")
    assert status == 0, said
    return clone, run


def change(path, **changes):
    """Change the first code cell that prints something."""
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if c.get("outputs"))
    cell.update(changes)
    nbformat.write(notebook, path)


@posix
def test_hooks_let_a_good_commit_pass(hooked):
    clone, run = hooked
    change(clone / "notebooks" / "01-data.ipynb", source="system_information().head()")
    status, said = run("git", "commit", "-qam", "Good")
    assert status == 0, said


@posix
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "x=1"}, r"ruff format\.+Failed"),
        ({"execution_count": 7}, "test_committed_as_executed"),
        (
            {"outputs": [nbformat.v4.new_output("stream", name="stderr", text="oh")]},
            "test_committed_as_executed",
        ),
        (
            {"outputs": [nbformat.v4.new_output("stream", text="in /home/me/x")]},
            "test_committed_as_executed",
        ),
        ({"metadata": {"collapsed": True}}, "test_nothing_of_a_machine_is_stored"),
    ],
    ids=["form", "order", "stderr", "path", "metadata"],
)
def test_hooks_stop_a_bad_commit(changes, said, hooked):
    clone, run = hooked
    change(clone / "notebooks" / "01-data.ipynb", **changes)
    status, output = run("git", "commit", "-qam", "Bad")
    assert status != 0
    assert re.search(said, output), output
    assert run("git", "log", "--oneline")[1].count("\n") == 1


@posix
def test_change_of_a_notebook_is_readable(hooked):
    clone, run = hooked
    change(clone / "notebooks" / "01-data.ipynb", source='"another text"')
    status, diff = run("git", "--no-pager", "diff")
    assert status == 0
    assert re.search(r'\+ *"another text"', diff) and "nbdiff" in diff
    assert '\\"another' not in diff and len(diff.splitlines()) < 40


def steps(workflow):
    for job in workflow["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_can_be_run_by_hand(path):
    """A step is a make target, on Windows the README's two lines, or asks GitHub."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.M))
    readme = (ROOT / "README.md").read_text("utf-8")
    runs = 0
    for step in steps(yaml.safe_load(path.read_text("utf-8"))):
        if "run" in step and "GH_TOKEN" not in step.get("env", {}):
            runs += 1
            for line in step["run"].splitlines():
                make = re.fullmatch(r"make ([a-z ]+?)( QUARTO=required)?", line)
                windows = "Windows" in step.get("if", "") and f"    {line}\n" in readme
                assert windows or (make and set(make[1].split()) <= targets), line
    assert runs
