"""Make _student/: the lecture without its solutions and answers, and its pages."""

import re
import shutil
import subprocess
import sys

import nbformat
import yaml

from helpers.exercises import stored_answer
from tools.common.exercises import read_exercises, tags
from tools.common.paths import ROOT
from tools.editions.colab import with_cell

STUDENT = ROOT / "_student"
# What students get; the README, the notebooks and the texts are changed below.
FOLDERS = ".devcontainer helpers images notebooks pages runs slides tools".split()
FILES = ".gitattributes .gitignore CITATION.cff LICENSE* Makefile *.yml *.lock".split()
FILES += ("README.md", "index.qmd", "lecture.py", "pyproject.toml")
JUNK = (".*_cache", ".ipynb_checkpoints", "__pycache__", "*.new", "*.partial")
# Pages for instructors.
TEACHING = ("teaching.qmd", "adapt.qmd", "homework.qmd", "recording.qmd")
# What works in the whole only.
TOOLS = ("editions", "checks", "stale.py", "constants.txt")
COMMANDS = ("help", "site", "view", "lab", "data", "record", "clean")


def without_answers(notebook, name):
    """Return a notebook without solutions, if the answers to it are stored."""
    for exercise in read_exercises(notebook, name).values():
        if stored_answer(exercise.name) is None:
            known = f"helpers/answers.json has no answer to {exercise.name}"
            raise SystemExit(f"Not made: {known}: run make notebooks.")
    notebook.cells = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    return notebook


def without_teaching(text):
    """Return a text without notes for the speaker and links to the pages left out."""
    pages = "|".join(map(re.escape, TEACHING))
    text = re.sub(r"^::: \{\.notes\}\n.*?^:::$\n", "", text, flags=re.M | re.S)
    text = re.sub(rf" *- href: pages/({pages})\n.*\n", "", text)
    text = re.sub(r" *- section: .*\n *contents:\n(?= *- section)", "", text)
    text = re.sub(rf"\nand a page on \[[^]]*\]\(pages/({pages})\)", "", text)
    return re.sub(rf"\[([^]]*)\]\([^)\s]*({pages})[^)]*\)", r"\1", text)


def with_addresses(text, addresses):
    """Return _quarto.yml with the students' addresses in place of all others."""
    text = re.sub(r"^student:\n( +.*\n)*", "", text, flags=re.M)
    text = re.sub(r"^ *#.*\n| +(repo|site)-(url|actions):.*\n", "", text, flags=re.M)
    lines = "".join(f"  {key}: {value}\n" for key, value in addresses.items())
    return text.replace("website:\n", f"website:\n{lines}")


def change(paths, function, *arguments):
    """Replace text files by what a function makes of their content."""
    for path in paths:
        text = function(path.read_text(encoding="utf-8"), *arguments)
        path.write_text(text, encoding="utf-8")


def readme(text):
    """Return the README with a section of its own on how to start."""
    start = (ROOT / "tools" / "editions" / "student.md").read_text(encoding="utf-8")
    return re.sub(r"## Start\n.*(?=## Licences)", lambda _: start, text, flags=re.S)


def makefile(text):
    """Return the Makefile with the students' commands only."""

    def kept(rule):
        return rule[0] if rule[1] in COMMANDS else ""

    text = re.sub(r"(\.PHONY:) help.*", rf"\1 {' '.join(COMMANDS)}", text)
    return re.sub(r"^([a-z]+): .*\n(?:\t.*\n)+\n", kept, text, flags=re.M)


def main():
    notebooks = [
        (path, without_answers(nbformat.read(path, as_version=4), path.stem))
        for path in ROOT.glob("notebooks/*.ipynb")
    ]
    for old in STUDENT.glob("*"):
        if old.name != ".git":  # it may be a repository by now
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for folder in FOLDERS:
        left_out = shutil.ignore_patterns(*JUNK, *TEACHING, *TOOLS)
        shutil.copytree(ROOT / folder, STUDENT / folder, ignore=left_out)
    for path in (path for pattern in FILES for path in ROOT.glob(pattern)):
        shutil.copy(path, STUDENT / path.relative_to(ROOT))
    settings = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    addresses = settings.get("student") or {}
    for path, notebook in notebooks:
        notebook = with_cell(notebook, addresses.get("repo-url"))
        nbformat.write(notebook, STUDENT / path.relative_to(ROOT))
    change([STUDENT / "_quarto.yml"], with_addresses, addresses)
    change([STUDENT / "_quarto.yml"], without_teaching)
    change([*STUDENT.rglob("*.qmd"), *STUDENT.rglob("*.ipynb")], without_teaching)
    change([STUDENT / "README.md"], readme)
    change([STUDENT / "Makefile"], makefile)
    done = subprocess.run([sys.executable, "-m", "tools.pages.render"], cwd=STUDENT)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
