"""The edition for students: what they need, and nothing that they should not have."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from conftest import NOTEBOOKS, ROOT

from tools import clean
from tools.common.exercises import COLLAPSED, OPTIONAL
from tools.editions import colab, student

MINE = "https://example.org/teacher/whole"
THEIRS = "https://example.org/teacher/students"
LEFT_OUT = "notebooks/transfer.ipynb"
FOR_TEACHERS = """
::: {.content-hidden when-profile="student"}
Only teachers read this.

::: {.callout-note}
Nor this.
:::

Nor what follows.
:::

Everybody reads [about transfer](notebooks/transfer.ipynb).
"""


@pytest.fixture(scope="module", params=["no address", "their own"])
def edition(request, tmp_path_factory):
    """The edition that is made of a lecture whose address is set, and its own one."""
    root = tmp_path_factory.mktemp("root")
    junk = shutil.ignore_patterns(".git", ".venv", "_*", "__pycache__", "tests")
    shutil.copytree(ROOT, root, ignore=junk, dirs_exist_ok=True)
    site = (ROOT / "_quarto.yml").read_text("utf-8")
    site = re.sub(r"^  (repo|site)-.*\n", "", site, flags=re.M)
    mine = f"  repo-url: {MINE}\n  repo-actions: [source]\n  site-url: {MINE}\n"
    site = site.replace("website:\n", f"website:\n{mine}")
    (root / "_quarto.yml").write_text(site, encoding="utf-8")
    profile = (ROOT / "_quarto-student.yml").read_text("utf-8")
    profile = profile.replace("  render:\n", f'  render:\n    - "!{LEFT_OUT}"\n')
    if request.param == "their own":
        profile += f"website:\n  repo-url: {THEIRS}\n  repo-actions: [source]\n"
        (root / "_student" / ".git").mkdir(parents=True)
    (root / "_quarto-student.yml").write_text(profile, encoding="utf-8")
    front = root / "index.qmd"
    front.write_text(front.read_text("utf-8") + FOR_TEACHERS, encoding="utf-8")
    shutil.copy(ROOT / "_variables.yml", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student, "ROOT", root)
        patch.setattr(student, "STUDENT", root / "_student")
        done = SimpleNamespace(returncode=0)
        patch.setattr(student.subprocess, "run", lambda *_, **__: done)
        for path in root.glob("notebooks/*.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            nbformat.write(colab.with_cell(notebook, MINE), path)
        with pytest.raises(SystemExit) as ended:
            student.main()
    assert ended.value.code == 0, ended.value.code
    yield root / "_student", request.param
    shutil.rmtree(root)


def texts(folder):
    for path in folder.rglob("*"):
        if path.suffix in (".ipynb", ".qmd", ".md", ".yml", ".json", ".py", ".html"):
            yield path, path.read_text(encoding="utf-8")


def test_nothing_leads_to_the_whole(edition):
    folder, kind = edition
    for path, text in texts(folder):
        assert MINE not in text, path
        assert not re.search(r"\]\([^)]*(teaching|homework|recording)\.qmd", text), path
    website = yaml.safe_load((folder / "_quarto.yml").read_text("utf-8"))["website"]
    assert website.get("repo-url") == (THEIRS if kind == "their own" else None)
    assert "site-url" not in website
    first = (folder / "notebooks" / "01-data.ipynb").read_text("utf-8")
    assert (THEIRS in first) == (kind == "their own")
    listed = re.findall(r"'href': '([^']+)'", str(website["sidebar"]))
    assert len(listed) > 10 and all((folder / href).is_file() for href in listed)
    assert "'section': " in str(website["sidebar"])
    assert "'contents': []" not in str(website["sidebar"]), "a section is empty"


def test_what_is_for_teachers_alone_or_left_out_is_not_there(edition):
    folder, _ = edition
    for path, text in texts(folder):
        assert "when-profile" not in text or path.suffix == ".py", path
        assert not re.search(r"\]\([^)]*transfer\.ipynb", text), path
    front = (folder / "index.qmd").read_text("utf-8")
    assert front.endswith("\n\nEverybody reads about transfer.\n")
    for hidden in ("Only teachers read this", "Nor this", "Nor what follows"):
        assert hidden not in front
    assert not (folder / LEFT_OUT).exists()
    assert (folder / "notebooks" / "large.ipynb").exists()


def test_page_that_cannot_be_left_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(student, "ROOT", tmp_path)
    monkeypatch.setattr(student, "STUDENT", tmp_path / "_student")
    (tmp_path / "_student").mkdir()
    (tmp_path / "_student" / "kept").touch()
    profile = 'project:\n  render:\n    - "!pages/gone.qmd"\n'
    (tmp_path / "_quarto-student.yml").write_text(profile)
    with pytest.raises(SystemExit, match="leaves out pages/gone"):
        student.main()
    assert (tmp_path / "_student" / "kept").exists(), "nothing is removed before"


def test_pages_lose_what_they_show_of_a_notebook_that_is_left_out():
    page = "A\n\n{{< embed /notebooks/transfer.ipynb#x echo=true >}}\n\nB\n"
    assert student.for_students(page, [LEFT_OUT]) == "A\n\n\nB\n"
    assert student.for_students(page, ["notebooks/large.ipynb"]) == page


def test_pages_that_need_a_notebook_go_with_it(monkeypatch, tmp_path):
    for name in ("notebooks/04-testing.ipynb", "notebooks/lecture-in-r.ipynb"):
        for path in (tmp_path / x for x in (name, *student.BELONGS[name])):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    monkeypatch.setattr(student, "ROOT", tmp_path)
    lines = [f'    - "!{x.relative_to(tmp_path)}"' for x in tmp_path.glob("note*/*")]
    profile = "project:\n  render:\n" + "\n".join(lines)
    (tmp_path / "_quarto-student.yml").write_text(profile, encoding="utf-8")
    _, left_out = student.read_profile()
    assert {"slides/index.qmd", "pages/languages.qmd"} <= {*left_out}
    assert all(name.endswith((".ipynb", ".qmd")) for name in left_out)


def test_answer_that_is_older_than_its_solution_is_refused():
    [path] = (p for p in NOTEBOOKS if p.stem == "01-data")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.source.startswith("# solution"):
            cell.source += "\n"
            last = cell
    student.without_solutions(nbformat.from_dict(notebook), path.stem)
    last.source += "\nanswer_1 = 0"
    with pytest.raises(SystemExit, match="was changed since it ran: run make"):
        student.without_solutions(notebook, path.stem)


def test_what_somebody_added_is_not_removed(monkeypatch, tmp_path):
    """But what was made here goes, also where its source has gone since."""
    monkeypatch.setattr(student, "ROOT", tmp_path)
    monkeypatch.setattr(student, "STUDENT", tmp_path / "_student")
    old, mine = "notebooks/old.ipynb", "notebooks/week 1: dates.md"
    for name in (old, mine):
        (tmp_path / "_student" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "_student" / name).touch()
    clean.keep_list(tmp_path, "_student", [old])
    with pytest.raises(SystemExit, match=f"has {mine}, which was not made here"):
        student.refuse_to_remove()
    if shutil.which("git"):
        for command in (["init", "-q"], ["add", "."]):
            git = ["git", *command]
            subprocess.run(git, cwd=tmp_path / "_student", check=True)
    else:
        (tmp_path / "_student" / mine).unlink()
    student.refuse_to_remove()


def test_hashes_of_solutions_are_not_handed_out(edition):
    folder, _ = edition
    text = (folder / "helpers" / "answers.json").read_text("utf-8")
    assert '"hash"' in text and '"solution"' not in text


def test_no_solution_and_no_answer_is_in_it(edition):
    folder, _ = edition
    students = sorted((folder / "notebooks").glob("*.ipynb"))
    assert len(students) == len(NOTEBOOKS) - 1
    for path in students:
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(c.source for c in cells if c.cell_type == "code")
        for cell in cells:
            assert "answer" not in cell.metadata
            assert COLLAPSED not in cell.metadata or OPTIONAL.match(cell.source)
        assert "# solution" not in code, path.name
        whole = nbformat.read(ROOT / "notebooks" / path.name, as_version=4)
        solved = [c.source for c in whole.cells if c.source.startswith("# solution")]
        for source in solved:
            assert source.split("\n", 1)[1] not in code, path.name
        assert not any("solution" in c.metadata.get("tags", []) for c in cells)
        assert not any("Right." in str(c.get("outputs")) for c in cells)
    for path, text in texts(folder):
        assert path.suffix == ".py" or ".notes}" not in text, path
    slides = (folder / "slides" / "index.qmd").read_text("utf-8")
    assert slides.count("\n## ") == (ROOT / "slides" / "index.qmd").read_text(
        "utf-8"
    ).count("\n## "), "a slide went with the notes"


def test_what_its_readme_names_is_there(edition):
    folder, kind = edition
    readme = (folder / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^):]+)\)", readme):
        assert (folder / target.partition("#")[0]).exists(), target
    for name in re.findall(r"^    (\w[\w.]*/)", readme, re.M):
        assert (folder / name).is_dir(), name
    makefile = (folder / "Makefile").read_text("utf-8")
    commands = set(re.findall(r"^([a-z]+):.*## ", makefile, re.M))
    named = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", readme, re.M))
    assert named and named <= commands
    tools = re.findall(r"tools/\w+\.py", makefile)
    modules = [
        name.replace(".", "/") for name in re.findall(r"-m (tools[\w.]+)", makefile)
    ]
    assert tools and modules
    for tool in (*tools, *(f"{name}.py" for name in modules)):
        known = (folder / tool).is_file() or (folder / tool).with_suffix("").is_dir()
        assert known, tool
    for name in (".gitignore", ".devcontainer/devcontainer.json"):
        assert (folder / name).is_file()
    assert (folder / ".git").exists() == (kind == "their own"), "kept, never copied"
    for name in ("tests", ".github", "tools/editions", "pages/teaching.qmd"):
        assert not (folder / name).exists()
    if shutil.which("make"):
        listed = subprocess.check_output(
            ["make", "--no-print-directory", "help"], cwd=folder, text=True
        )
        assert {line.split()[0] for line in listed.splitlines()} == commands


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_commands_that_its_pages_name_work_or_are_answered_by_a_sentence(edition):
    folder, _ = edition
    prose = "\n".join(t for p, t in texts(folder) if p.suffix in (".qmd", ".ipynb"))
    named = set(re.findall(r"`make ([a-z]+)", prose))
    absent = named - {*student.COMMANDS}
    assert absent
    for name in sorted(absent):
        done = subprocess.run(
            ["make", "--no-print-directory", name],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert done.stderr.startswith(f"make {name} is not in this edition; make help")
