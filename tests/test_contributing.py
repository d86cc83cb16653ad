"""What keeps changes small, readable and checked: hooks and workflows."""

import os
import re
import subprocess
import sys

import nbformat
import pytest
import yaml
from conftest import ROOT, git_environment


def change(path, **changes):
    """Change the first code cell that prints something."""
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if c.get("outputs"))
    cell.update(changes)
    nbformat.write(notebook, path)


@pytest.mark.skipif(os.name != "posix", reason="the hooks name the programs of POSIX")
def test_hooks_stop_a_bad_commit_and_let_a_good_one_pass(clone):
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

    status, said = run(".venv/bin/pre-commit", "install")
    assert status == 0, said
    trace = nbformat.v4.new_output("stream", text="in /home/me/x")
    for changes, expected in (
        ({"source": "x=1"}, r"ruff format\.+Failed"),
        ({"execution_count": 7, "outputs": [trace]}, r"notebooks executed.*\.+Failed"),
    ):
        change(clone / "notebooks" / "01-data.ipynb", **changes)
        status, said = run("git", "commit", "-qam", "Bad")
        assert status != 0 and re.search(expected, said), said
        run("git", "checkout", "-q", "HEAD", ".")
    change(clone / "notebooks" / "01-data.ipynb", source="system_information().head()")
    status, said = run("git", "commit", "-qam", "Good")
    assert status == 0, said


def test_what_a_workflow_runs_can_be_run_by_hand():
    """A step is a command of the README or of make, or speaks with GitHub."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.M))
    guides = [
        (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md")
    ]
    for path in ROOT.glob(".github/workflows/*.yml"):
        workflow = yaml.safe_load(path.read_text("utf-8"))
        for step in (s for job in workflow["jobs"].values() for s in job["steps"]):
            if "run" not in step or "GH_TOKEN" in step.get("env", {}):
                continue
            for line in step["run"].splitlines():
                make = re.fullmatch(r"make ([a-z ]+?)( QUARTO=required)?", line)
                by_make = make and set(make[1].split()) <= targets
                assert by_make or any(f"    {line}\n" in text for text in guides), line
