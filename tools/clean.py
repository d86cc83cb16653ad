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
    ".venv",
    "_site",
    ".quarto",
    ".pytest_cache",
    ".ruff_cache",
    "notebooks/.ruff_cache",
    "pages/play/network",
    "cifar100_lecture.egg-info",
)
# Where Python keeps what it compiled of the code of the lecture.
CODE = ("helpers", "tools", "tests")
HOOKS = ".venv/bin/git-nbdiffdriver diff"  # as CONTRIBUTING.md sets it


def remove(path):
    """Remove a folder, or a link to one, but never what the link leads to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(str(path))


def forget_hooks():
    """Undo the two settings of git that need .venv, if they are as they were made."""
    commit = ROOT / ".venv" / "bin" / "pre-commit"
    quiet = {"cwd": str(ROOT), "stdout": subprocess.DEVNULL}
    quiet["stderr"] = subprocess.DEVNULL
    if commit.exists():
        subprocess.call([str(commit), "uninstall"], **quiet)
    if not shutil.which("git"):
        return
    unset = ["git", "config", "--unset", "diff.jupyternotebook.command"]
    subprocess.call([*unset, "^{}$".format(HOOKS.replace(".", r"\."))], **quiet)


def clean(root=ROOT):
    """Remove what was made; return a sentence for each thing that stays."""
    stays = []
    for name in MADE:
        remove(root / name)
    for folder in CODE:
        for path in sorted((root / folder).rglob("__pycache__")):
            remove(path)
    student = root / "_student"
    if (student / ".git").exists():
        stays.append("_student is a repository now: delete it yourself if it may go.")
    else:
        remove(student)
    homework = root / "_homework"
    for part in sorted(homework.glob("*")) if homework.is_dir() else []:
        grades = [p for p in part.glob("grades*")] if part.is_dir() else []
        if grades:
            stays.append(
                f"_homework/{part.name} holds grades: delete it yourself if it may go."
            )
        elif (part / "autograder.zip").exists() or (part / "student").exists():
            remove(part)
    if homework.is_dir() and not os.listdir(str(homework)):
        homework.rmdir()
    return stays


def main():
    try:
        forget_hooks()
        for sentence in clean():
            print(sentence)
    except OSError as error:
        sys.exit(f"Not all was removed: {error}; mend that, and run it again.")


if __name__ == "__main__":
    main()
