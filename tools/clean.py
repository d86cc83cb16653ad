"""Remove what the other commands made, and nothing else.

Names are listed one by one: what is not listed stays, whatever it looks like. Where a
folder may hold somebody's files besides, `making` keeps a list of those that a command
made in it, and only these are removed. What stays is named. Like setup.py, this runs
with whatever Python is there.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What commands make anew at any time, file by file: others may lie among them.
MADE = ("_site", "pages/play/network", "slides/figures")
LISTS = ".made"  # this folder has a list for each of them
# What programs keep for themselves.
CACHES = (
    ".quarto",
    ".pytest_cache",
    ".ruff_cache",
    "notebooks/.ruff_cache",
    "cifar100_lecture.egg-info",
)
# Where Python keeps what it compiled of the code of the lecture.
CODE = ("helpers", "tools", "tests")
# What `make homework` puts into the folder of a part; submissions may lie beside it.
HOMEWORK = ("autograder.zip", "autograder", "master", "student", "answers.json", "lock")
# What a rendered student edition has besides copies of the lecture's own files.
RENDERED = {"_site", ".quarto", ".venv", "_variables.yml", ".ruff_cache", LISTS}
HOOKS = ".venv/bin/git-nbdiffdriver diff"  # as CONTRIBUTING.md sets it
STAYS = "{} {}: delete it yourself if it may go."


def remove(path):
    """Remove a folder, or a link to one, but never what the link leads to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(str(path))


def list_of(root, name):
    return root / LISTS / (name.replace("/", "-") + ".json")


def listed(root, name):
    """Return the paths in a folder, as texts, that a command has made there."""
    try:
        return set(json.loads(list_of(root, name).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # nothing was made here, or the list is damaged
        return set()


def keep_list(root, name, made):
    list_of(root, name).parent.mkdir(exist_ok=True)
    text = json.dumps(sorted(made), indent=0) + "\n"
    list_of(root, name).write_text(text, encoding="utf-8")


def files_in(folder):
    """Return the files and links in a folder, by their paths in it.

    The value tells whether a file was written meanwhile.
    """
    found = {}
    if folder.is_symlink():
        return found
    for at, folders, names in os.walk(str(folder)):
        links = [name for name in folders if os.path.islink(os.path.join(at, name))]
        for name in names + links:
            path = Path(at) / name
            known = os.lstat(str(path))
            key = path.relative_to(folder).as_posix()
            found[key] = known.st_mtime_ns, known.st_size, known.st_ino
    return found


def remove_listed(root, name):
    """Remove what a command has made in a folder; return what else is there."""
    folder = root / name
    made = listed(root, name)
    there = files_in(folder)
    for path in sorted(made.intersection(there), reverse=True):
        (folder / path).unlink()
        for parent in (folder / path).parents:
            if parent == root or os.listdir(str(parent)):
                break
            parent.rmdir()
    remove(list_of(root, name))
    remove_if_empty(root / LISTS)
    return sorted(set(there) - made)


def put_back(kept, folder):
    """Move what lies in one folder into another, where it has no file of that name."""
    if not kept.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(kept.iterdir()):
        target = folder / path.name
        if path.is_dir() and not path.is_symlink() and target.is_dir():
            put_back(path, target)
        elif not os.path.lexists(str(target)):
            os.rename(str(path), str(target))
    shutil.rmtree(str(kept), ignore_errors=True)


@contextlib.contextmanager
def making(name, root=ROOT, afresh=True):
    """Keep a list of the files that are made in a folder within this context.

    Parameters
    ----------
    name : str
        The folder, as MADE has it.
    root : pathlib.Path
        The folder of the lecture.
    afresh : bool
        Whether what was made there before is removed first. What else is there is out
        of reach meanwhile, because programs may empty the folder, and then put back.
    """
    folder = root / name
    if folder.is_symlink():
        raise OSError(
            f"{folder} is a link, expected a folder or nothing: remove the link, and"
            " copy the files to where it leads afterwards"
        )
    kept = list_of(root, name).with_suffix(".kept")
    put_back(kept, folder)  # somebody was killed
    made = set() if afresh else listed(root, name)
    if afresh:
        others = remove_listed(root, name)
        kept.parent.mkdir(exist_ok=True)
        if others:
            os.rename(str(folder), str(kept))
    folder.mkdir(parents=True, exist_ok=True)
    before = files_in(folder)
    try:
        yield folder
    finally:  # also what was made by half is ours
        after = files_in(folder)
        made |= {path for path in after if before.get(path) != after[path]}
        put_back(kept, folder)
        keep_list(root, name, made.intersection(after))


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


def clean_made(name, root):
    """Remove what was made in a folder, and name what else is there."""
    folder = root / name
    if folder.is_symlink():
        return STAYS.format(name, "is a link, which was not made here")
    if (folder / ".git").exists():  # as where pages are published from a branch
        return STAYS.format(name, "is a repository now")
    others = remove_listed(root, name)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        has = f"has {others[0]}{more}, not known to be made here"
        return STAYS.format(name, has)
    return remove_if_empty(folder)


def clean_student(root):
    """Remove _student, unless it is a repository or somebody added something."""
    student = root / "_student"
    if not student.is_dir() or student.is_symlink():
        return None
    if (student / ".git").exists():
        return STAYS.format("_student", "is a repository now")
    for path in added_by_others("_student", root, RENDERED):
        return STAYS.format(f"_student has {path}, which", "is not ours")
    remove(list_of(root, "_student"))
    return remove(student)


def added_by_others(name, root, also):
    """Return what is in a folder of copies, but was neither copied nor made there."""
    made = listed(root, name)
    return [p for p in added(root / name, root, also) if p.as_posix() not in made]


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


def handed_out(part):
    """Return what the hand-out of a part has besides copies."""
    return {"README.md", "requirements.txt", part + ".ipynb"}


def clean_homework(part, root):
    """Remove what `make homework` has made of one part, unless it was graded."""
    if any(part.glob("grades*")):
        return STAYS.format(f"_homework/{part.name}", "holds grades")
    if not (part / "autograder.zip").exists() and not (part / "student").exists():
        return None
    student = f"_homework/{part.name}/student"
    for path in added_by_others(student, root, handed_out(part.name)):
        return STAYS.format(f"{student} has {path}, which", "is not ours")
    remove(list_of(root, student))
    for name in HOMEWORK:
        remove(part / name)
    remove_if_empty(part)
    if part.exists():
        return STAYS.format(f"_homework/{part.name}", "holds other files")
    return None


def clean(root=ROOT):
    """Remove what was made; return a sentence for each thing that stays."""
    stays = [clean_venv(root)]
    for name in CACHES:
        remove(root / name)
    stays += [clean_made(name, root) for name in MADE]
    for name in CODE:
        clean_compiled(root / name)
    stays.append(clean_student(root))
    homework = root / "_homework"
    if homework.is_dir() and not homework.is_symlink():
        for part in sorted(homework.iterdir()):
            if part.is_dir() and not part.is_symlink():
                stays.append(clean_homework(part, root))
        remove_if_empty(homework)
    remove_if_empty(root / LISTS)
    return [sentence for sentence in stays if sentence]


def main():
    try:
        for sentence in clean():
            print(sentence)
    except OSError as error:
        sys.exit(f"Not all was removed: {error}; mend that, and run it again.")


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # a code page may lack a name's letters
        sys.stdout.reconfigure(errors="backslashreplace")
    main()
