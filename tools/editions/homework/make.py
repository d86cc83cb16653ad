"""Make the hand-out of one part, and keep its right answers beside it."""

import hashlib
import json
import re
import shutil
from importlib.metadata import requires

import filelock
import nbformat
import yaml

from helpers import data
from tools.clean import added_by_others, files_in, handed_out, keep_list
from tools.common.exercises import outdated, read_exercises, tags, uses_data
from tools.common.files import write_whole
from tools.common.paths import ROOT
from tools.editions.student import JUNK

HOMEWORK = ROOT / "_homework"
ANSWERS = ROOT / "helpers" / "answers.json"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FIRST = """\
Write your answers in place of `None` (or of the dots), run the whole notebook once
more (*Run*, *Restart Kernel and Run All Cells*), save it, and hand in this file. Keep
names such as `answer_1`: the answers are found by them."""
README = """\
# Homework: {title}

The exercises are in `{name}.ipynb`. You need Python 3.10 to 3.13 and the packages in
`requirements.txt`:

    python3 -m venv .venv
    .venv/bin/python -m pip install -r requirements.txt
    .venv/bin/jupyter lab {name}.ipynb

(On Windows, write `.venv\\Scripts` in place of `.venv/bin`.) If you have installed the
lecture already, open the file with its JupyterLab instead.{data}

Every exercise has a cell with your answer. Running it tells you whether the answer has
the right form, for example three numbers; whether it is right, you learn when it has
been graded. Points:

{points}

Hand in the notebook alone, `{name}.ipynb`, with your student number in its name,
such as `{name}-1234567.ipynb`. It is run again from top to bottom in this folder, so it
must not need other files of yours.
"""
DATA = """ The images are downloaded
(170 MB) when you run the notebook for the first time."""


def make(name):
    """Make _homework/NAME: the folder `student`, and the right answers beside it.

    Grades that are there stay as they are.
    """
    notebook, exercises = checked(name)
    folder = HOMEWORK / name
    key = {
        "data": uses_data(notebook),
        "exercises": {
            number: entry(notebook, exercise) for number, exercise in exercises.items()
        },
    }
    with locked(folder, "made"):  # or it would take the hand-out from under a grader
        student = (folder / "student").relative_to(ROOT).as_posix()
        for path in added_by_others(student, ROOT, handed_out(name)):
            raise SystemExit(
                f"No homework was made: {student} has {path}, which was not made here"
                " and would be removed: move it elsewhere."
            )
        shutil.rmtree(folder / "student", ignore_errors=True)
        hand_out(notebook, name, key, folder / "student")
        keep_list(ROOT, student, files_in(folder / "student"))
        text = json.dumps(key, indent=1, sort_keys=True) + "\n"
        write_whole(folder / "answers.json", text)
    print(f"Hand out {folder / 'student'}; keep {folder / 'answers.json'} to yourself.")


def locked(folder, done):
    """Return a lock on a part, which nobody else makes or grades meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / "lock", timeout=0).acquire()
    except filelock.Timeout:
        raise SystemExit(
            f"Not {done}: {folder.name} is being made or graded already: wait until"
            " that has ended."
        ) from None
    except OSError as error:
        raise SystemExit(
            f"Not {done}: nothing can be written to {folder} ({error.strerror})."
        ) from None


def checked(name):
    """Return a notebook and its exercises, if homework can be made of it."""
    path = ROOT / "notebooks" / f"{name}.ipynb"
    parts = sorted(other.stem for other in ROOT.glob("notebooks/*.ipynb"))
    if name not in parts:
        raise SystemExit(f"There is no part {name}: name one of {', '.join(parts)}.")
    notebook = nbformat.read(path, as_version=4)
    try:
        exercises = read_exercises(notebook, name)
    except ValueError as error:
        raise SystemExit(f"No homework was made: {error}") from None
    if not exercises:
        raise SystemExit(f"No homework was made: {name} has no exercise with a check.")
    known = json.loads(ANSWERS.read_text(encoding="utf-8")) if ANSWERS.exists() else {}
    for number, exercise in exercises.items():
        reason = outdated(notebook, exercise, known.get(name, {}).get(number))
        cells = [exercise.solved, exercise.hidden]
        wanted = [notebook.cells[i] for i in cells if i is not None]
        if not reason and any("answer" not in cell.metadata for cell in wanted):
            reason = f"{path.name} does not hold the answer to {exercise.name}"
        if reason:
            raise SystemExit(
                f"No homework was made: {reason}, so its right answer is unknown: run"
                f" make notebooks, or -m tools.notebooks.execute notebooks/{path.name}."
            )
    return notebook, exercises


def entry(notebook, exercise):
    """Return what grading has to know of one exercise."""
    hidden = None if exercise.hidden is None else notebook.cells[exercise.hidden]
    return {
        "name": exercise.name,
        "expression": exercise.expression,
        "tolerance": exercise.tolerance,
        "points": exercise.points,
        "answer": notebook.cells[exercise.solved].metadata["answer"],
        "hidden": hidden and hidden.source,
        "hidden_answer": hidden and hidden.metadata["answer"],
    }


def fingerprint(key):
    """Return a short text that changes with the answers, tolerances and points."""
    text = json.dumps(key, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def hand_out(notebook, name, key, folder):
    """Make the folder that students get."""
    left_out = shutil.ignore_patterns(*JUNK, "answers.json")
    for part in ("helpers", "images", "runs"):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=left_out)
    (folder / "notebooks").mkdir(parents=True)
    for path in ROOT.glob("notebooks/*.ipynb"):  # cells of them are run by others
        other = without_exercises(nbformat.read(path, as_version=4))
        nbformat.write(other, folder / "notebooks" / path.name)
    text = json.dumps({name: forms(name)}, indent=1, sort_keys=True) + "\n"
    (folder / "helpers" / "answers.json").write_text(text, encoding="utf-8")
    nbformat.write(for_students(notebook), folder / f"{name}.ipynb")
    needed = [text for text in requires("cifar100-lecture") if "extra ==" not in text]
    lines = "\n".join(needed) + "\n"
    (folder / "requirements.txt").write_text(lines, encoding="utf-8")
    points = [
        f"- Exercise {number}: {exercise['points']:g}"
        for number, exercise in key["exercises"].items()
    ]
    text = README.format(
        name=name,
        title=title_of(notebook, name),
        data=DATA if key["data"] and data.load_data is data.load_cifar100 else "",
        points="\n".join(points),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def forms(name):
    """Return the stored answers without the hashes, and what would help to guess."""
    known = json.loads(ANSWERS.read_text(encoding="utf-8"))[name]
    blank = {"tolerance": None, "offsets": None}
    return {
        number: {
            "form": {**answer["form"], **blank},
            "data": answer["data"],
            "salt": "",
            "hash": None,
        }
        for number, answer in known.items()
    }


def without_exercises(notebook):
    """Return a notebook without exercises, solutions and outputs."""
    cells = [c for c in notebook.cells if not {"exercise", "solution"} & {*tags(c)}]
    notebook.cells = [without_output(cell) for cell in cells]
    return notebook


def for_students(notebook):
    """Return the notebook that students work in."""
    notebook = nbformat.from_dict(notebook)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "raw" or {"solution", "colab"} & {*tags(cell)}:
            continue
        cell = without_output(cell)
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(lead_somewhere, cell.source)
        cells.append(cell)
    cells.insert(0, nbformat.v4.new_markdown_cell(FIRST))
    notebook.cells = cells
    return notebook


def without_output(cell):
    cell.metadata = {"tags": tags(cell)} if tags(cell) else {}
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def lead_somewhere(match):
    """Return a link as it has to be in the hand-out; where nothing is there, its text.

    The notebook lies beside `images`, and the other pages are on the site only.
    """
    picture, text, target = match.groups()
    if re.match(r"[a-z]+:|#", target):
        return match[0]
    if target.startswith("../images/"):
        return f"{picture}[{text}]({target.removeprefix('../')})"
    website = yaml.safe_load((ROOT / "_quarto.yml").read_text("utf-8"))["website"]
    if "site-url" not in website:
        return text
    target = (
        target.removeprefix("../") if target[:3] == "../" else f"notebooks/{target}"
    )
    page = re.sub(r"\.(qmd|ipynb)\b", ".html", target)
    return f"{picture}[{text}]({website['site-url'].rstrip('/')}/{page})"


def title_of(notebook, name):
    """Return the first heading of a notebook, or its name."""
    for cell in notebook.cells:
        found = re.search(r"^# (.+)$", cell.source, re.M)
        if found and cell.cell_type == "markdown":
            return found[1]
    return name
