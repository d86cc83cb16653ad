import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from conftest import NOTEBOOKS, ROOT
from packaging.requirements import Requirement

from tools import setup as setup_tool
from tools.pages import draw as draw_tool
from tools.pages import render as render_tool

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The set-up script, for an empty repository."""
    monkeypatch.setattr(setup_tool, "ROOT", tmp_path)
    monkeypatch.setattr(setup_tool, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup_tool, "LOG", tmp_path / "setup.log")
    return setup_tool


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
def test_fitting_python_is_found_or_asked_for(setup, monkeypatch, tmp_path):
    """The programs on the PATH are made up: one that fails, uv, one that starts."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    started = []
    monkeypatch.setattr(setup.subprocess, "call", lambda x: started.append(x) or 0)
    for version in ((3, 9), (3, 14)):
        monkeypatch.setattr(setup.sys, "version_info", version)
        with pytest.raises(SystemExit, match=r"expected 3\.10 to 3\.13; none of these"):
            setup.main()
    for name, script in {
        "python3.13": "exit 1",
        "uv": '[ "$2" = install ] || echo /of/uv/python3.12',
        "python3.11": "echo /usr/bin/python3.11",
    }.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
        with pytest.raises(SystemExit):
            setup.main(dev=True)
    pythons = "/of/uv/python3.12", "/usr/bin/python3.11"
    assert started == [[python, setup.__file__, "dev"] for python in pythons]
    assert list(tmp_path.iterdir()) == [tmp_path / "bin"]


def test_full_disk_is_one_sentence(setup, monkeypatch, tmp_path):
    full = SimpleNamespace(free=1.5e9)
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda _: full)
    with pytest.raises(SystemExit, match=r"1\.5 GB of disk are free, expected 3"):
        setup.main()
    assert list(tmp_path.iterdir()) == []


def test_long_path_on_windows_is_one_sentence(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "WINDOWS", True)
    monkeypatch.setattr(setup, "ROOT", tmp_path / ("x" * 72))
    for setting in (None, "LongPathsEnabled    REG_DWORD    0x0"):
        monkeypatch.setattr(setup, "output", lambda *_, said=setting: said)
        with pytest.raises(SystemExit, match="characters, expected at most 71; enable"):
            setup.main()
    monkeypatch.setattr(setup, "output", lambda *_: "LongPathsEnabled REG_DWORD 0x1")
    setup.check_path()


def test_failing_command_is_one_sentence(setup):
    for message, sentence in {
        "OSError: [Errno 28] No space left on device": "the disk is full",
        "NewConnectionError: failed to resolve": "could not be downloaded",
        "No matching distribution found for x": "pip found no fitting package",
        "The environment was not created: ensurepip is not": "apt install",
        "HINT: Windows Long Path support": "a path is too long; enable long paths",
        "THESE PACKAGES DO NOT MATCH THE HASHES": "the messages are in",
    }.items():
        setup.LOG.write_text("")
        with pytest.raises(SystemExit, match=sentence):
            setup.run(sys.executable, "-c", f"import sys; sys.exit({message!r})")


def test_venv_of_another_folder_or_python_is_made_anew(setup, monkeypatch):
    monkeypatch.setattr(setup, "run", lambda *_, **options: None)
    monkeypatch.setattr(setup, "output", lambda *_: "")
    folder, python = setup.MADE_FOR.splitlines()
    for other in (f"{folder}x\n{python}\n", f"{folder}\n{python}x\n"):
        setup.VENV.mkdir(exist_ok=True)
        (setup.VENV / "made-for").write_text(other)
        (setup.VENV / "old").touch()
        setup.main()
        assert (setup.VENV / "made-for").read_text() == setup.MADE_FOR
        assert not (setup.VENV / "old").exists()
    (setup.VENV / "kept").touch()
    setup.main(dev=True)
    assert (setup.VENV / "kept").exists() and (setup.VENV / "ready-dev").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no make")
def test_moved_folder_is_set_up_again(tmp_path):
    """What is installed holds the path of the folder."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("tools", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "tools/setup.py").write_text("print('set up')")
    package = tmp_path / "tools/pages"
    package.mkdir()
    (package / "render.py").write_text("print('rendered')")
    (tmp_path / ".venv/ready").touch()
    alone = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLA"))}
    command = ["make", f"PYTHON={sys.executable}", "site"]
    for path, expected in (
        (tmp_path.resolve(), ["rendered"]),
        ("/somewhere/else", ["set up", "rendered"]),
    ):
        (tmp_path / ".venv/made-for").write_text(f"{path}\n3.11.7\n")
        said = subprocess.check_output(command, cwd=tmp_path, env=alone, text=True)
        assert said.splitlines() == expected


def test_pages_have_the_figures_of_the_records():
    committed = (ROOT / "_variables.yml").read_text(encoding="utf-8")
    assert committed == render_tool.variables(), "make site, and commit it"


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = PROJECT["project"]["dependencies"]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("*.qmd"), *ROOT.glob("pages/*.qmd")]
PROSE = "\n".join(path.read_text("utf-8") for path in [*PAGES, *NOTEBOOKS])
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


def test_drawn_pictures_are_those_that_the_network_gives():
    for name, text in draw_tool.drawn().items():
        assert (draw_tool.PICTURES / name).read_text("utf-8") == text, "make notebooks"


def test_conda_environment_names_the_packages_of_pyproject():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *listed, pip = conda["dependencies"]
    listed = {*listed, *pip["pip"]} - {"python=3.11", "pip", "-e ."}
    quarto = (ROOT / "requirements-quarto.lock").read_text(encoding="utf-8")
    wanted = [re.search("quarto-cli==[^ ]+", quarto)[0], *NEEDED]
    wanted = [text for text in wanted if "tensorflow-cpu" not in text]
    assert {(r.name, r.specifier) for r in map(Requirement, listed)} == {
        (r.name, r.specifier) for r in map(Requirement, wanted)
    }


def test_lock_has_every_package_and_names_no_host():
    text = "".join(p.read_text("utf-8") for p in ROOT.glob("requirements*.lock"))
    asked = sum(PROJECT["dependency-groups"].values(), NEEDED)
    names = {Requirement(package).name for package in asked}
    assert names <= set(re.findall(r"^([\w.-]+)==", text, re.M)), "make lock"
    assert "://" not in text


def test_every_test_that_a_promise_names_exists():
    tests = " ".join(path.read_text("utf-8") for path in ROOT.glob("tests/test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PROSE))
    assert named and named <= set(re.findall(r"^def (test_\w+)", tests, re.M))


def test_every_command_that_is_named_exists():
    named = set(re.findall(r"(?:`|^ {4}|\d )make ([a-z]+)", PROSE, re.M))
    assert named and named <= TARGETS


def test_what_a_workflow_runs_can_be_run_by_hand():
    guides = re.sub(', repos = "[^"]*"', "", PROSE)  # setup-r sets it
    quarto = (ROOT / "requirements-quarto.lock").read_text("utf-8")
    for path in ROOT.glob(".github/workflows/*.yml"):
        workflow = yaml.safe_load(path.read_text("utf-8"))
        for step in (s for job in workflow["jobs"].values() for s in job["steps"]):
            if "quarto" in step.get("uses", ""):
                assert f"quarto-cli=={step['with']['version']} " in quarto
            if "GH_TOKEN" not in step.get("env", {}):
                for line in step.get("run", "").splitlines():
                    make = re.fullmatch("make ([a-z ]+)", line)
                    by_make = make and set(make[1].split()) <= TARGETS
                    tests = line.startswith(".venv/bin/python -m pytest tests/")
                    assert by_make or tests or f"{line}\n" in guides, line
