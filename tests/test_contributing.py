"""What checks a change: the hooks of a commit, and the workflows."""

import os
import re
import sys

import nbformat
import pytest
import yaml
from conftest import ROOT, git_environment, run


@pytest.mark.skipif(os.name != "posix", reason="the hooks name the programs of POSIX")
def test_hooks_stop_what_is_wrong_and_nothing_else(clone):
    (clone / ".venv").symlink_to(sys.prefix)
    own = git_environment() | {"PRE_COMMIT_HOME": clone.parent / "pre-commit"}

    def failed():
        _, said = run("-m", "pre_commit", "run", "--all-files", cwd=clone, env=own)
        return re.findall(r"^(\w+).*\.\.Failed$", said, re.M)

    assert failed() == []
    path = clone / "notebooks" / "01-data.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if c.get("outputs"))
    cell.outputs = [nbformat.v4.new_output("stream", text="in /home/me/x")]
    cell.source = "x=undefined"
    nbformat.write(notebook, path)
    assert failed() == ["ruff", "ruff", "notebooks"]


def test_what_a_workflow_runs_can_be_run_by_hand():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    guides = "".join(path.read_text("utf-8") for path in ROOT.glob("*.md"))
    quarto = (ROOT / "requirements-quarto.lock").read_text("utf-8")
    for path in ROOT.glob(".github/workflows/*.yml"):
        workflow = yaml.safe_load(path.read_text("utf-8"))
        for step in (s for job in workflow["jobs"].values() for s in job["steps"]):
            if "quarto" in step.get("uses", ""):
                assert f"quarto-cli=={step['with']['version']} " in quarto
            if "GH_TOKEN" not in step.get("env", {}):
                for line in step.get("run", "").splitlines():
                    make = re.fullmatch("make ([a-z ]+)", line)
                    by_make = make and set(make[1].split()) <= targets
                    assert by_make or f"    {line}\n" in guides, line
