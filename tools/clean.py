"""Remove what the other commands made, and nothing else.

Names are listed one by one: what is not listed stays, whatever it looks like. Where a
listed folder holds somebody's work by now (a repository, or grades), that stays, too,
and is named. Like setup.py, this runs with whatever Python is there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the commands make anew at any time.
MADE = (
    "_site",
    ".quarto",
    ".pytest_cache",
    ".ruff_cache",
    "notebooks/.ruff_cache",
    "pages/play/network",
    "slides/figures",
    "cifar100_lecture.egg-info",
)
# Where Python keeps what it compiled of the code of the lecture.
CODE = ("helpers", "tools", "tests")
# What `make homework` puts into the folder of a part; submissions may lie beside it.
HOMEWORK = ("autograder.zip", "autograder", "master", "student", "answers.json", "lock")
# What a rendered student edition has besides copies of the lecture's own files.
RENDERED = {"_site", ".quarto", ".venv", "_variables.yml", ".ruff_cache"}
HOOKS = ".venv/bin/git-nbdiffdriver diff"  # as CONTRIBUTING.md sets it
STAYS = "{} {}: delete it yourself if it may go."


def remove(path):
    """Remove a folder, or a link to one, but never what the link leads to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(str(path))


def forget_hooks(root):
    """Undo the two settings of git that need .venv, if they are as they were made."""
    if not (root / ".git").exists():  # a copy inside another repository, or in none
        return
    commit = root / ".venv" / "bin" / "pre-commit"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    quiet = {"cwd": str(root), "env": kept}
    quiet.update(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if commit.exists():
        subprocess.call([str(commit), "uninstall"], **quiet)
    if shutil.which("git"):
        unset = ["git", "config", "--unset", "diff.jupyternotebook.command"]
        subprocess.call([*unset, "^{}$".format(HOOKS.replace(".", r"\."))], **quiet)


def clean_venv(root):
    """Remove .venv if set-up has made it, with the settings that need it."""
    venv = root / ".venv"
    if not venv.exists() and not venv.is_symlink():
        return None
    if not any((venv / name).exists() for name in ("made-for", "setup.log")):
        return STAYS.format(".venv", "was not made by set-up")
    forget_hooks(root)
    return remove(venv)


def clean_compiled(folder):
    """Remove what Python compiled of the code in a folder, and nothing beside it."""
    if folder.is_symlink():
        return
    for cache in sorted(folder.rglob("__pycache__")):
        if cache.is_symlink() or not cache.is_dir():
            continue
        for path in cache.glob("*.pyc"):
            path.unlink()
        remove_if_empty(cache)


def remove_if_empty(folder):
    if folder.is_dir() and not folder.is_symlink() and not os.listdir(str(folder)):
        folder.rmdir()


def clean_student(root):
    """Remove _student, unless it is a repository or somebody added something."""
    student = root / "_student"
    if not student.is_dir() or student.is_symlink():
        return None
    if (student / ".git").exists():
        return STAYS.format("_student", "is a repository now")
    for path in added(student, root, RENDERED):
        return STAYS.format(f"_student has {path}, which", "is not ours")
    return remove(student)


def added(made, root, also):
    """Return the paths in a folder of copies that are neither copies nor in `also`.

    The names in `also` are those that the folder itself has besides.
    """
    found = []
    for folder, folders, names in os.walk(str(made)):
        here = Path(folder).relative_to(made)
        if folder == str(made):
            folders[:] = [name for name in folders if name not in also]
            names = [name for name in names if name not in also]
        folders[:] = [name for name in folders if name != "__pycache__"]
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        found += [here / n for n in names + links if not (root / here / n).exists()]
        empty = not folders and not names
        if empty and not (root / here).exists():
            found.append(here)
    return found


def clean_homework(part, root):
    """Remove what `make homework` has made of one part, unless it was graded."""
    if any(part.glob("grades*")):
        return STAYS.format(f"_homework/{part.name}", "holds grades")
    if not (part / "autograder.zip").exists() and not (part / "student").exists():
        return None
    own = {"README.md", "requirements.txt", part.name + ".ipynb"}
    for path in added(part / "student", root, own):
        name = f"_homework/{part.name}/student has {path}, which"
        return STAYS.format(name, "is not ours")
    for name in HOMEWORK:
        remove(part / name)
    remove_if_empty(part)
    if part.exists():
        return STAYS.format(f"_homework/{part.name}", "holds other files")
    return None


def clean(root=ROOT):
    """Remove what was made; return a sentence for each thing that stays."""
    stays = [clean_venv(root)]
    for name in MADE:
        if (
            root / name / ".git"
        ).exists():  # as where pages are published from a branch
            stays.append(STAYS.format(name, "is a repository now"))
        else:
            remove(root / name)
    for name in CODE:
        clean_compiled(root / name)
    stays.append(clean_student(root))
    homework = root / "_homework"
    if homework.is_dir() and not homework.is_symlink():
        for part in sorted(homework.iterdir()):
            if part.is_dir() and not part.is_symlink():
                stays.append(clean_homework(part, root))
        remove_if_empty(homework)
    return [sentence for sentence in stays if sentence]


def main():
    try:
        for sentence in clean():
            print(sentence)
    except OSError as error:
        sys.exit(f"Not all was removed: {error}; mend that, and run it again.")


if __name__ == "__main__":
    main()
