"""Read the exercises of a notebook: question, student's cell and solution.

An exercise consists of these cells, in this order. From them follow the notebook of the
student edition, the stored answers and the graded homework::

    ### Exercise 2: title        the question and a hint, tagged "exercise"
    answer_2 = None              the student's cell, tagged "exercise"
    check(answer_2, "01-data/2")
    #### Solution                alone in its cell; what follows is tagged "solution"
    <details>...                 the explanation
    # solution                   code that assigns answer_2
    hidden_2 = ...               optional: what else graded homework looks at
    </details>
"""

import ast
import hashlib
import re
import secrets
from typing import NamedTuple

from helpers.exercises import Form, MisfitError, digest, form_of, written

TITLE = re.compile(r"### Exercise (\d+): \S")
SOLUTION = "#### Solution"
OPTIONAL = re.compile(r"#{2,4} Optional: \S.*")  # alone in its cell, and folded as well
COLLAPSED = "jp-MarkdownHeadingCollapsed"  # JupyterLab hides all up to the next heading
POINTS = "points-"  # the tag points-3 makes an exercise worth three points


class Exercise(NamedTuple):
    """An exercise whose answer is checked."""

    name: str  # such as "03-training/2"
    number: str
    asked: int  # the position of the cell with the check among all cells
    expression: str  # what is checked there, such as "answer_2"
    tolerance: float | None
    points: float
    solved: int  # the position of the cell in which the solution's answer is complete
    hidden: int | None  # the position of the cell that assigns hidden_2


def tags(cell):
    return cell.metadata.get("tags", [])


def read_exercises(notebook, name):
    """Return the exercises of a notebook that have a check, by number.

    Raises
    ------
    ValueError
        If the parts of an exercise do not fit together; the message says which.
    """
    found = {}
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or "solution" in tags(cell):
            continue
        for call in _checks(cell, name):
            number = _number(call, name)
            if number in found:
                raise ValueError(
                    f"{name} checks exercise {number} twice: once will do."
                )
            points = [t.removeprefix(POINTS) for t in tags(cell) if POINTS in t]
            found[number] = Exercise(
                name=f"{name}/{number}",
                number=number,
                asked=position,
                expression=ast.unparse(call.args[0]),
                tolerance=_tolerance(call, name),
                points=float(points[0]) if points else 1.0,
                solved=_assigned(notebook, position, f"answer_{number}", name),
                hidden=_assigned(notebook, position, f"hidden_{number}", name),
            )
    for exercise in found.values():
        if exercise.solved is None:
            raise ValueError(
                f"{exercise.name} has no solution: tag a cell below it `solution` that"
                f" assigns answer_{exercise.number}."
            )
    return found


def is_folded(cell):
    """Return whether JupyterLab hides what follows: a solution, or what is optional."""
    heading = cell.source == SOLUTION or OPTIONAL.fullmatch(cell.source)
    return cell.cell_type == "markdown" and bool(heading)


def uses_data(notebook):
    """Return whether what a notebook computes may depend on the images."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return any("load_data" in source or "load_cifar100" in source for source in code)


def faults(notebook):
    """Return a sentence for each exercise that is not of the form described above."""
    said = []
    number = None
    for position, cell in enumerate(notebook.cells):
        title = TITLE.match(cell.source)
        if cell.cell_type == "markdown" and title:
            number = title[1]
            if "exercise" not in tags(cell):
                said.append(f"The question of exercise {number} is not tagged.")
        folded = cell.metadata.get(COLLAPSED)
        if cell.source.startswith(SOLUTION):
            if cell.source != SOLUTION or not folded or "solution" not in tags(cell):
                said.append(f"{SOLUTION} of exercise {number} is not alone and folded.")
            said.extend(_faults_below(notebook.cells[position + 1 :], number))
        elif cell.cell_type == "markdown" and OPTIONAL.search(cell.source):
            if not is_folded(cell) or not folded:
                said.append(f"Not alone and folded: {cell.source[:50]}")
            said.extend(_faults_after(cell.source, notebook.cells[position + 1 :]))
        elif folded:
            said.append(f"This cell is folded for no reason: {cell.source[:50]}")
    return said


def _faults_after(heading, cells):
    """Return what is wrong with the end of an optional section.

    JupyterLab shows a cell with the next heading whole: it must hold nothing else.
    """
    level = heading.index(" ")
    last = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            found = re.search(rf"^#{{1,{level}}} \S", cell.source, re.M)
            if found and not found.start() and last.endswith("</details>"):
                return []
            if found:
                return [f"No cell that ends with </details> ends {heading[:50]}"]
        last = cell.source
    return [f"No heading follows {heading[:50]}: add one, such as Summary."]


def _faults_below(cells, number):
    """Return what is wrong between the heading of a solution and the next heading."""
    said = []
    last = ""
    for cell in cells:
        if cell.cell_type == "markdown" and re.match("#{1,4} ", cell.source):
            if last.strip() != "</details>":
                said.append(f"No </details> ends the solution of exercise {number}.")
            return said
        if "solution" not in tags(cell):
            said.append(
                f"Folded with the solution of exercise {number}, but no part of it: "
                + cell.source[:50]
            )
        last = cell.source
    return [*said, f"No heading follows exercise {number}: add one, such as Next."]


def stored(truth, tolerance, old=None, data=True):
    """Return what is stored of a right answer, as `helpers.check` reads it.

    Parameters
    ----------
    truth : str, bool, number, or (nested) sequence of them
        The right answer.
    tolerance : float or None
        The largest distance of a right number from it.
    old : dict, optional
        What is stored now; it stays where it accepts the truth already.
    data : bool
        Whether the answer may depend on the images.
    """
    form = form_of(truth, tolerance)
    text = written(truth, form)
    shown = {"form": form._asdict(), "data": data}
    if old and _same(form, Form(**old["form"])):
        if digest(written(truth, Form(**old["form"])), old["salt"]) == old["hash"]:
            return {**old, "data": data}
    salt = secrets.token_hex(8)
    return {**shown, "salt": salt, "hash": digest(text, salt)}


def _same(form, old):
    """Return whether two forms differ in nothing but the noise of a computation."""
    if form[:3] != old[:3]:
        return False
    if form.offsets is None:
        return True
    pairs = zip(form.offsets, old.offsets, strict=True)
    return all(abs(new - old) < form.tolerance / 1000 for new, old in pairs)


def agrees(answer, truth, tolerance):
    """Return whether an answer is right, exactly as `helpers.check` would tell it."""
    form = form_of(truth, tolerance)
    try:
        return written(answer, form) == written(truth, form)
    except MisfitError:
        return False


def solution_hash(notebook, exercise, salt):
    """Return a salted hash of the code of a solution, as it was executed.

    With it, an answer that is older than its solution can be told.
    """
    code = []
    for cell in notebook.cells[exercise.asked + 1 :]:
        if cell.cell_type == "code" and "solution" in tags(cell):
            code.append(cell.source.strip())
        elif cell.cell_type == "markdown" and TITLE.match(cell.source):
            break
    return hashlib.sha256("\n\n".join([salt, *code]).encode()).hexdigest()[:16]


def outdated(notebook, exercise, kept):
    """Return why a stored answer is not that of the solution as it is now, or None.

    `kept` is what helpers/answers.json has of the exercise, or None.
    """
    if not kept:
        return f"helpers/answers.json has no answer to {exercise.name}"
    if kept.get("solution") != solution_hash(notebook, exercise, kept["salt"]):
        return f"the solution of {exercise.name} was changed since it ran"
    return None


def _parsed(cell, name):
    try:
        return ast.parse(cell.source)
    except SyntaxError:
        raise ValueError(
            f"{name} has an exercise that is no plain Python: {cell.source[:50]!r};"
            " put magics into a cell of their own."
        ) from None


def _checks(cell, name):
    """Return the calls of check in a cell, in the form of their syntax trees."""
    if "check(" not in cell.source:
        return []
    return [
        node
        for node in ast.walk(_parsed(cell, name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "check"
    ]


def _number(call, name):
    """Return the number from check(answer_2, "01-data/2")."""
    if len(call.args) == 2 and isinstance(call.args[1], ast.Constant):
        match = re.fullmatch(rf"{re.escape(name)}/(\d+)", str(call.args[1].value))
        if match:
            return match[1]
    said = ast.unparse(call)
    raise ValueError(f'{name} has {said}, expected check(answer_2, "{name}/2").')


def _tolerance(call, name):
    for keyword in call.keywords:
        if keyword.arg == "tolerance":
            try:
                return ast.literal_eval(keyword.value)
            except ValueError:
                break
    else:
        return None
    raise ValueError(f"{name} has {ast.unparse(call)}, expected a number as tolerance.")


def _assigned(notebook, start, variable, name):
    """Return the position of the last cell of a solution that assigns a variable."""
    last = None
    for position, cell in enumerate(notebook.cells[start + 1 :], start + 1):
        if cell.cell_type == "markdown" and TITLE.match(cell.source):
            break
        if cell.cell_type == "code" and "solution" in tags(cell):
            if variable in cell.source and variable in _stored_names(cell, name):
                last = position
    return last


def _stored_names(cell, name):
    return {
        node.id
        for node in ast.walk(_parsed(cell, name))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
