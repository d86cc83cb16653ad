"""What checks a change: the workflows."""

import re

import yaml
from conftest import ROOT


def test_what_a_workflow_runs_can_be_run_by_hand():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    pages = [*ROOT.glob("*.md"), ROOT / "pages" / "r.qmd"]
    guides = "".join(path.read_text("utf-8") for path in pages)
    guides = re.sub(', repos = "[^"]*"', "", guides)  # setup-r sets it
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
                    tests = line.startswith(".venv/bin/python -m pytest tests/")
                    assert by_make or tests or f"{line}\n" in guides, line
