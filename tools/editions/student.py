"""Make _student/: the lecture without its solutions and answers, and its pages.

What is for teachers alone is marked where it stands: cells by the tag `solution`,
paragraphs by Quarto's `content-hidden when-profile="student"`, notes for the speaker by
`.notes`, pages by the list in _quarto-student.yml.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import yaml
from nbconvert.preprocessors import TagRemovePreprocessor

from helpers.exercises import stored_answer
from tools.clean import RENDERED, added_by_others, files_in, keep_list
from tools.common.exercises import outdated, read_exercises
from tools.common.markdown import without_divs, without_links
from tools.common.paths import ROOT
from tools.editions.adapt import BELONGS, without_embeds
from tools.editions.colab import with_cell

STUDENT = ROOT / "_student"
# What students get; the README, the notebooks and the texts are changed below.
FOLDERS = ".devcontainer helpers images notebooks pages runs slides tools".split()
FILES = ".gitattributes .gitignore CITATION.cff LICENSE* Makefile *.yml *.lock".split()
FILES += ("README.md", "index.qmd", "lecture.py", "pyproject.toml")
JUNK = (".*_cache", ".ipynb_checkpoints", "__pycache__", "*.new", "*.partial")
# What works in the whole only.
TOOLS = ("editions", "checks", "stale.py")
COMMANDS = ("help", "site", "view", "lab", "data", "record", "clean")
ABSENT = """
{}:
\t@echo "make $@ is not in this edition; make help lists its commands." >&2
\t@exit 1
"""
FOR_TEACHERS = ('.content-hidden when-profile="student"', ".notes")
ADDRESSES = ("repo-url", "repo-actions", "repo-branch", "repo-subdir", "site-url")


def without_solutions(notebook, name):
    """Return a notebook without the cells tagged `solution`.

    The answers to its exercises must be stored, or no reader could check his own.
    """
    for exercise in read_exercises(notebook, name).values():
        reason = outdated(notebook, exercise, stored_answer(exercise.name))
        if reason:
            raise SystemExit(f"Not made: {reason}: run make notebooks.")
    remover = TagRemovePreprocessor(remove_cell_tags={"solution"})
    return remover.preprocess(notebook, {})[0]


def read_profile():
    """Return _quarto-student.yml, and the pages and notebooks that it leaves out."""
    text = (ROOT / "_quarto-student.yml").read_text(encoding="utf-8")
    profile = yaml.safe_load(text)
    listed = profile["project"]["render"]
    left_out = [name.removeprefix("!") for name in listed if name.startswith("!")]
    for name in left_out:
        if not (ROOT / name).exists():
            raise SystemExit(
                f"Not made: _quarto-student.yml leaves out {name}, which is not there:"
                " mend its name, or remove its line."
            )
    for name in left_out:  # which grows meanwhile
        pages = [page for page in BELONGS.get(name, []) if page.endswith(".qmd")]
        left_out += [p for p in pages if p not in left_out and (ROOT / p).exists()]
    return profile, left_out


def configuration(whole, profile, left_out):
    """Return the students' _quarto.yml: without our addresses and what is left out."""
    website = whole["website"]
    for key in ADDRESSES:
        website.pop(key, None)
    website.update(profile.get("website") or {})
    sidebar = website["sidebar"]
    sidebar["contents"] = without_entries(sidebar["contents"], left_out)
    return whole


def without_entries(entries, left_out):
    """Return entries of the sidebar without those left out and empty sections."""
    kept = []
    for entry in entries:
        if isinstance(entry, str):
            entry = {"href": entry}
        if "contents" in entry:
            contents = without_entries(entry["contents"], left_out)
            if contents:
                kept.append({**entry, "contents": contents})
        elif entry.get("href") not in left_out:
            kept.append(entry)
    return kept


def for_students(text, left_out):
    """Return a text without what is for teachers; links to nowhere become words."""
    for mark in FOR_TEACHERS:
        text = without_divs(text, mark)
    return without_links(without_embeds(text, left_out), left_out)


def readme(text):
    """Return the README with a section of its own on how to start."""
    before, _, rest = text.partition("## Start\n")
    _, _, licences = rest.partition("## Licences")
    if not licences:
        raise SystemExit(
            "Not made: README.md has no sections `Start` and `Licences`, between which"
            " the students' own text stands: give them these names again."
        )
    start = (ROOT / "tools" / "editions" / "student.md").read_text(encoding="utf-8")
    return f"{before}{start}## Licences{licences}"


def makefile(text):
    """Return the Makefile with the students' commands, and a sentence for all others.

    Pages that both editions have name commands of the whole lecture, too.
    """
    commands = re.findall(r"^([a-z]+):", text, re.M)
    others = [name for name in commands if name not in COMMANDS]

    def kept(rule):
        return rule[0] if rule[1] in COMMANDS else ""

    text = re.sub(r"(\.PHONY:) help.*", rf"\1 {' '.join([*COMMANDS, *others])}", text)
    text = re.sub(r"^([a-z]+): .*\n(?:\t.*\n)+\n", kept, text, flags=re.M)
    return text + ABSENT.format(" ".join(others))


def refuse_to_remove():
    """Stop if somebody's own file is in _student/, unless a repository there has it."""
    others = added_by_others("_student", ROOT, RENDERED | {".git"})
    if others and (STUDENT / ".git").exists():
        command = ["git", "-C", str(STUDENT), "ls-files", "-z"]
        kept = subprocess.run(command, capture_output=True).stdout
        names = {os.fsdecode(name) for name in kept.split(b"\0")}
        others = [path for path in others if path.as_posix() not in names]
    if others:
        raise SystemExit(
            f"Not made: _student has {others[0]}, which was not made here and would be"
            " removed: move it elsewhere, or commit it in a repository in _student."
        )


def copy_files(left_out):
    """Copy what students get into _student/, which may be a repository by now."""
    for old in STUDENT.glob("*"):
        if old.name != ".git":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    ignored = shutil.ignore_patterns(*JUNK, *TOOLS)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, STUDENT / folder, ignore=ignored)
    for pattern in FILES:
        for path in ROOT.glob(pattern):
            shutil.copy(path, STUDENT / path.relative_to(ROOT))
    for name in ("_quarto-student.yml", *left_out):
        (STUDENT / name).unlink()
    change(STUDENT / "helpers" / "answers.json", without_hashes_of_solutions)


def without_hashes_of_solutions(text):
    """Return the stored answers without what `make homework` alone needs."""
    known = json.loads(text)
    for answers in known.values():
        for answer in answers.values():
            answer.pop("solution", None)
    return json.dumps(known, indent=1, sort_keys=True) + "\n"


def change(path, function, *arguments):
    """Replace a text file by what a function makes of its content."""
    text = function(path.read_text(encoding="utf-8"), *arguments)
    path.write_text(text, encoding="utf-8", newline="\n")


def main():
    profile, left_out = read_profile()
    whole = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    site = configuration(whole, profile, left_out)
    address = site["website"].get("repo-url")
    notebooks = {}
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        name = path.relative_to(ROOT)
        if name.as_posix() not in left_out:
            whole_notebook = nbformat.read(path, as_version=4)
            notebook = without_solutions(whole_notebook, path.stem)
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = for_students(cell.source, left_out)
            notebooks[name] = with_cell(notebook, address)
    refuse_to_remove()
    copy_files(left_out)  # nothing is removed before all could be read
    for name, notebook in notebooks.items():
        nbformat.write(notebook, STUDENT / name)
    for path in STUDENT.rglob("*.qmd"):
        change(path, for_students, left_out)
    change(STUDENT / "README.md", readme)
    change(STUDENT / "README.md", for_students, left_out)
    change(STUDENT / "Makefile", makefile)
    written = yaml.safe_dump(site, sort_keys=False, allow_unicode=True)
    (STUDENT / "_quarto.yml").write_text(written, encoding="utf-8", newline="\n")
    made = [path for path in files_in(STUDENT) if not path.startswith(".git/")]
    keep_list(ROOT, "_student", made)
    done = subprocess.run([sys.executable, "-m", "tools.pages.render"], cwd=STUDENT)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
