import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import yaml
from conftest import NOTEBOOKS, ROOT, load_tool
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The set-up script, for an empty repository."""
    tool = load_tool("setup")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(tool, "LOG", tmp_path / "setup.log")
    return tool


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_wrong_python_is_one_sentence(setup, version, monkeypatch, tmp_path):
    monkeypatch.setattr(setup.sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"expected 3\.10 to 3\.13"):
        setup.main()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_sentence(setup, monkeypatch, tmp_path):
    full = SimpleNamespace(free=1.5e9)
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda _: full)
    with pytest.raises(SystemExit, match=r"1\.5 GB of disk are free, expected 4"):
        setup.main()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError: failed to resolve", "could not be downloaded"),
        ("Read timed out.", "could not be downloaded"),
        ("No matching distribution found for x", "pip found no fitting package"),
        ("The virtual environment was not created: ensurepip is not", "apt install"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", r"the messages are in setup\.log"),
    ],
)
def test_failing_command_is_one_sentence(setup, message, sentence):
    program = f"import sys; sys.exit({message!r})"
    with pytest.raises(SystemExit, match=sentence):
        setup.run(sys.executable, "-c", program)


@pytest.mark.parametrize("line", [0, 1], ids=["folder", "Python"])
def test_venv_of_another_folder_or_python_is_made_anew(setup, line, monkeypatch):
    made_for = setup.VENV / "made-for"
    setup.VENV.mkdir()
    lines = setup.MADE_FOR.splitlines()
    lines[line] += "x"
    made_for.write_text("\n".join(lines) + "\n")
    (setup.VENV / "old").touch()
    monkeypatch.setattr(setup.subprocess, "call", lambda *_, **options: 0)
    setup.main()
    assert made_for.read_text() == setup.MADE_FOR
    assert not (setup.VENV / "old").exists()
    (setup.VENV / "kept").touch()
    setup.main()
    assert (setup.VENV / "kept").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no make")
def test_moved_folder_is_set_up_again(tmp_path):
    """What is installed holds the path of the folder."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    tools, program = tmp_path / "tools", tmp_path / ".venv" / "bin" / "python"
    tools.mkdir()
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    (tools / "setup.py").write_text("print('set up')")
    (tools / "render.py").write_text("print('rendered')")
    (tmp_path / ".venv" / "ready").touch()

    alone = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLA"))}

    def make(path):
        made_for = f"{path}\n3.11.7\n"
        (tmp_path / ".venv" / "made-for").write_text(made_for)
        command = ["make", f"PYTHON={sys.executable}", "site"]
        said = subprocess.check_output(command, cwd=tmp_path, env=alone, text=True)
        return said.splitlines()

    assert make(tmp_path.resolve()) == ["rendered"]
    assert make("/somewhere/else") == ["set up", "rendered"]
    program.unlink()
    program.symlink_to("gone")
    with pytest.raises(subprocess.CalledProcessError):  # our set-up makes no new one
        make(tmp_path.resolve())


def test_renderer_says_what_it_falls_back_to(monkeypatch, tmp_path, capsys):
    pytest.importorskip("smalldocs", reason="smalldocs needs Python 3.11 or newer")
    tool = load_tool("render")
    (tmp_path / "_quarto.yml").write_text("project: {type: website}\n")
    (tmp_path / "index.md").write_text("# A title\n")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "quarto", lambda: None)
    monkeypatch.setattr(tool, "install_quarto", lambda: None)
    tool.main()
    printed = capsys.readouterr().out.splitlines()
    assert "using smalldocs" in printed[0] and printed[-1].endswith("_site/index.html")
    assert (tmp_path / "_site" / "index.html").is_file()


def test_pages_have_the_figures_of_the_records():
    committed = (ROOT / "_variables.yml").read_text(encoding="utf-8")
    assert committed == load_tool("render").variables()
    pages = [ROOT / "index.qmd", ROOT / "pages" / "systems.qmd"]
    text = " ".join(page.read_text("utf-8") for page in pages)
    used = re.findall(r"< var (\w+)\.(\w+) >", text)
    values = yaml.safe_load(committed)
    assert len(used) == 6 and all(values[run][name] for run, name in used)


def test_student_edition_has_everything_but_the_solutions(monkeypatch, tmp_path):
    tool = load_tool("student")
    monkeypatch.setattr(tool, "STUDENT", tmp_path / "student")
    monkeypatch.setattr(
        tool.subprocess, "run", lambda command: SimpleNamespace(returncode=0)
    )
    with pytest.raises(SystemExit) as stopped:
        tool.main()
    assert stopped.value.code == 0
    removed = 0
    for path in NOTEBOOKS:
        ours = nbformat.read(path, as_version=4).cells
        theirs = nbformat.read(tmp_path / "student/notebooks" / path.name, 4).cells
        kept = [c for c in ours if "solution" not in c.metadata.get("tags", [])]
        assert [c.source for c in theirs] == [c.source for c in kept]
        removed += len(ours) - len(kept)
    assert removed > 50
    assert not (tmp_path / "student" / "tests").exists()
    for name in ("_quarto.yml", "index.qmd", "slides/index.qmd"):
        text = (tmp_path / "student" / name).read_text("utf-8")
        assert "teaching.qmd" not in text and ".notes" not in text
    assert (tmp_path / "student" / "helpers" / "exercises.py").is_file()


def test_pictures_of_the_front_page_are_those_of_the_notebooks():
    tool = load_tool("pictures")
    for number in tool.PARTS:
        stored = Image.open(tool.PICTURES / f"part-{number}.png").convert("RGB")
        drawn = np.asarray(tool.part(number), float)
        assert np.abs(np.asarray(stored, float) - drawn).mean() < 3, (
            f"make pictures: {number}"
        )
    assert Image.open(tool.PICTURES / "card.png").size == (1200, 630)


def test_conda_environment_names_the_packages_of_pyproject():
    def named(requirements):
        return {
            re.sub(r"\[.*?\]", "", text.split(";")[0].strip()) for text in requirements
        }

    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *packages, pip = conda["dependencies"]
    listed = named([*packages, *pip["pip"]]) - {"python=3.11", "pip", "-e ."}
    ours = importlib.metadata.requires("cifar100-lecture")
    wanted = {text for text in ours if "extra" not in text or "quarto-cli" in text}
    assert sorted(map(canonical, listed)) == sorted(map(canonical, named(wanted)))


def test_conda_environment_gives_a_reason_for_each_package():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    lines = text.split("dependencies:\n")[1].splitlines()
    for line in lines:
        assert re.search(r"# .*\w{4}| pip:$", line), line


def test_lock_has_a_version_in_the_range_of_every_package():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    pins = [Requirement(x) for x in re.findall(r"^([\w.-]+==[^\\]+)", lock, re.M)]
    for entry in re.split(r"^(?=[\w.-]+==)", lock, flags=re.M)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\n", entry), entry
    project = importlib.metadata.metadata("cifar100-lecture")
    asked = map(Requirement, project.get_all("Requires-Dist"))
    asked = [r for r in asked if not re.search("bench|site", str(r.marker))]
    assert len(asked) > 25
    for python in ("3.10", "3.11", "3.12", "3.13"):
        for system in ("linux", "darwin", "win32"):
            here = {"python_version": python, "python_full_version": f"{python}.9"}
            here |= {"sys_platform": system, "extra": "dev"}
            locked = {
                canonicalize_name(pin.name): next(iter(pin.specifier)).version
                for pin in pins
                if not pin.marker or pin.marker.evaluate(here)
            }
            for requirement in asked:
                if not requirement.marker or requirement.marker.evaluate(here):
                    version = locked[canonicalize_name(requirement.name)]
                    assert version in requirement.specifier, (requirement, python)


def canonical(requirement):
    """Return a requirement with its bounds in order."""
    name, bounds = re.match(r"([\w-]+)(.*)", requirement).groups()
    return name, tuple(sorted(bounds.split(",")))


def test_every_test_that_a_promise_names_exists():
    pages = [ROOT / "pages" / name for name in ("data.qmd", "systems.qmd")]
    promises = " ".join(page.read_text(encoding="utf-8") for page in pages)
    named = set(re.findall(r"`(test_\w+)`", promises))
    tests = " ".join(path.read_text() for path in ROOT.glob("tests/test_*.py"))
    assert len(named) > 40
    assert named <= set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))


def test_every_command_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    pages = [ROOT / "README.md", *ROOT.glob("*.qmd"), *NOTEBOOKS]
    text = " ".join(page.read_text(encoding="utf-8") for page in pages)
    named = set(re.findall(r"(?:`|^ {4}|\d )make ([a-z]+)", text, re.MULTILINE))
    assert named and named <= targets
    assert targets - {"help"} <= named, "the README leaves out a command"
