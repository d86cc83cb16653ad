import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from conftest import NOTEBOOKS, ROOT, run
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
    monkeypatch.setattr(setup.subprocess, "call", lambda x, **_: started.append(x) or 0)
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


def explained(setup, said, monkeypatch, *, index):
    """Return the sentence for what pip said, where the index answers or not."""
    monkeypatch.setattr(setup, "index_answers", lambda *_: index)
    with pytest.raises(SystemExit) as stopped:
        setup.explain_pip(said, "python", {})
    return str(stopped.value)


REFUSED = "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(x)"
WARNED = "WARNING: Retrying after connection broken by NewConnectionError\n"


@pytest.mark.parametrize(
    ("said", "index", "sentence"),
    [
        ("ERROR: Could not install: [Errno 28] No space left", True, "disk is full"),
        (f"ERROR: Exception:\nTraceback\n{REFUSED}", True, "could not be downloaded"),
        ("ERROR: No matching distribution found for x", False, "could not be download"),
        ("ERROR: No matching distribution found for x", True, "no fitting package"),
        (
            "ERROR: x HINT: Windows Long Path support",
            True,
            "a path is too long; enable",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", True, "not the one that the"),
        # A word is no cause: what pip overcame, and what packages are called.
        (f"{WARNED}ERROR: Invalid requirement: x", True, "ERROR: Invalid requirement"),
        ("ERROR: connection-pool has no timed-out wheel", True, "ERROR: connection-po"),
        ("[Errno 28] overcome\nERROR: something else", True, "ERROR: something else"),
    ],
)
def test_cause_is_told_by_what_failed(setup, monkeypatch, said, index, sentence):
    assert sentence in explained(setup, said, monkeypatch, index=index)


def test_failing_command_is_one_sentence(setup):
    setup.LOG.touch()
    said = setup.run(sys.executable, "-c", "raise SystemExit('it broke')")
    with pytest.raises(SystemExit, match=r"it broke \(all messages are in"):
        setup.explain(said)
    assert setup.run(sys.executable, "-c", "print('fine')") is None
    assert "fine" in setup.LOG.read_text(), "also what succeeds is logged"


@pytest.mark.parametrize("module", ["_lzma", "_ssl", "_sqlite3", "_ctypes", "_bz2"])
def test_incomplete_python_is_said_at_once(module, tmp_path):
    """As where Python was built on a machine that lacked a library."""
    (tmp_path / "tools").mkdir()
    script = shutil.copy(ROOT / "tools" / "setup.py", tmp_path / "tools")
    program = f"import runpy, sys; sys.modules[{module!r}] = None"
    program += f"; runpy.run_path({str(script)!r}, run_name='__main__')"
    status, said = run("-c", program)
    assert status == 1 and len(said.splitlines()) == 1
    assert f"lacks {module} (for " in said and "expected a complete Python" in said
    assert not (tmp_path / ".venv").exists()


@pytest.mark.skipif(os.name != "posix", reason="the separator is another one")
def test_folder_with_a_colon_is_one_sentence(tmp_path):
    script = tmp_path / "week 1: images" / "tools" / "setup.py"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup.py", script)
    status, said = run(script)
    assert status == 1 and len(said.splitlines()) == 1
    assert "has a ':', which separates folders in the PATH" in said
    assert "rename the folder" in said


def test_venv_of_the_users_own_is_not_replaced(setup):
    setup.VENV.mkdir()
    (setup.VENV / "pyvenv.cfg").write_text("of another project")
    with pytest.raises(SystemExit, match=r"a \.venv in .* that set-up has not made"):
        setup.main()
    assert (setup.VENV / "pyvenv.cfg").exists()


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
@pytest.mark.parametrize("kind", ["a link", "a link to nothing", "a file"])
def test_venv_that_is_no_folder_is_one_sentence(setup, kind, tmp_path):
    """What a link leads to is somebody's, even if set-up has made it once."""
    target = tmp_path / "elsewhere"
    if kind == "a file":
        setup.VENV.touch()
    else:
        setup.VENV.symlink_to(target)
    if kind == "a link":
        target.mkdir()
        (target / "made-for").touch()
    word = " ".join(kind.split()[:2])
    with pytest.raises(SystemExit, match=f"is {word}, expected a folder or nothing"):
        setup.main()
    assert setup.VENV.is_symlink() or setup.VENV.exists()
    assert kind != "a link" or (target / "made-for").exists()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full: make 3 GB free"),
        (errno.EROFS, "where you may write"),
        (errno.EACCES, "where you may write"),
        (errno.EIO, "mend that"),
    ],
)
def test_advice_is_about_the_error_that_there_was(setup, number, sentence):
    assert sentence in setup.advice(OSError(number, "said"))


BACKEND = """
import zipfile

def get_requires_for_build_editable(settings=None):
    return []

def build_editable(folder, settings=None, metadata=None):
    name = "installed-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        about = "installed-1.dist-info/"
        wheel.writestr("installed.py", "")
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: installed\\n"
                       "Version: 1\\n")
        wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
                       "Tag: py3-none-any\\n")
        wheel.writestr(about + "RECORD", "")
    return name
"""


@pytest.fixture
def small(setup, monkeypatch, tmp_path):
    """A lecture that needs one package, which lies in a folder; no network."""
    (tmp_path / "backend.py").write_text(BACKEND)
    wheels = tmp_path / "the wheels"
    wheels.mkdir()
    namespace = {}
    exec(BACKEND.replace("installed", "needed"), namespace)
    wheel = wheels / namespace["build_editable"](wheels)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements.lock").write_text(f"needed==1 --hash=sha256:{digest}\n")
    system = "[build-system]\nrequires = []\nbuild-backend = 'backend'\n"
    (tmp_path / "pyproject.toml").write_text(f"{system}backend-path = ['.']\n")
    monkeypatch.setattr(setup, "IMPORTS", "installed, needed")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    return setup, wheels.as_uri()


@pytest.mark.skipif(os.name != "posix", reason="the path of .venv's Python is another")
def test_users_settings_of_pip_and_python_stay_out_of_set_up(
    small, monkeypatch, tmp_path, capsys
):
    """But where packages come from is the user's to say, here in a file."""
    setup, wheels = small
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "needed.py").write_text("raise ImportError('the wrong one')")
    config = tmp_path / "pip.conf"
    config.write_text(
        f"[global]\nno-index = true\nfind-links = {wheels}\n"
        f"[install]\nuser = true\nprefix = {tmp_path / 'elsewhere'}\n"
    )
    for name, value in {
        "PIP_CONFIG_FILE": config,
        "PIP_USER": "1",
        "PIP_REQUIRE_HASHES": "1",
        "PIP_CONSTRAINT": tmp_path / "none.txt",
        "PIP_PREFIX": tmp_path / "elsewhere",
        "PIP_TARGET": tmp_path / "elsewhere",
        "PIP_DRY_RUN": "1",
        "PYTHONPATH": tmp_path / "other",
        "PYTHONSAFEPATH": "1",
        "PYTHONHOME": tmp_path / "other",
    }.items():
        monkeypatch.setenv(name, str(value))
    setup.main()
    steps = [line[:6] for line in capsys.readouterr().out.splitlines()[1:]]
    assert steps == [f"{n} of 4" for n in range(1, 5)], "a line for each"
    assert (setup.VENV / "ready").exists()
    assert list(setup.VENV.glob("lib/python*/site-packages/needed.py"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.name != "posix", reason="a code page cannot be set elsewhere")
def test_folder_with_a_name_that_the_code_page_lacks(tmp_path):
    """As on Windows in a folder with a Polish name, where the code page is another."""
    folder = tmp_path / "ćwiczenia łódź"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup.py", folder / "tools")
    program = "import runpy; from pathlib import Path; m = runpy.run_path('setup.py')"
    program += "; v = m['VENV']; v.mkdir(); (v / 'made-for').write_bytes(m['MADE_FOR'])"
    program += "; print((v / 'made-for').read_bytes() == m['MADE_FOR'], v)"
    old = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    old["PYTHONIOENCODING"] = "cp1250:backslashreplace"
    environment = os.environ | old
    status, said = run("-c", program, cwd=folder / "tools", env=environment)
    assert status == 0 and said.startswith("True"), said
    kept = (folder / ".venv" / "made-for").read_bytes().splitlines()[0]
    assert kept == os.fsencode(folder.resolve()), "what make compares with its folder"


def test_venv_of_another_folder_or_python_is_made_anew(setup, monkeypatch):
    for name in ("requirements.lock", "requirements-dev.lock"):
        (setup.ROOT / name).write_text("numpy==2.4.6\n", encoding="utf-8")
    monkeypatch.setattr(setup, "run", lambda *_, **options: None)
    monkeypatch.setattr(setup, "output", lambda *_, **options: "")
    folder, python = setup.MADE_FOR.decode().splitlines()
    for other in (f"{folder}x\n{python}\n", f"{folder}\n{python}x\n"):
        setup.VENV.mkdir(exist_ok=True)
        (setup.VENV / "made-for").write_text(other)
        (setup.VENV / "old").touch()
        setup.main()
        assert (setup.VENV / "made-for").read_bytes() == setup.MADE_FOR
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
        for step in (s for j in workflow["jobs"].values() for s in j.get("steps", [])):
            if "quarto" in step.get("uses", ""):
                assert f"quarto-cli=={step['with']['version']} " in quarto
            if "GH_TOKEN" not in step.get("env", {}):
                for line in step.get("run", "").splitlines():
                    line = line.replace('"$EDITION"', "site student")  # its two values
                    make = re.fullmatch("make ([a-z ]+)", line)
                    by_make = make and set(make[1].split()) <= TARGETS
                    tests = line.startswith(".venv/bin/python -m pytest tests/")
                    assert by_make or tests or f"{line}\n" in guides, line
