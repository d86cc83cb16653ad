"""Fill the quizzes of the notebooks from notebooks/quizzes.yml.

A quiz is a Markdown cell tagged ``quiz`` that begins with ``<!-- quiz: NAME -->``. What
stands below that line is made here: the question, and an option in each
``<details>``, so that a click (or the Enter key) on an option answers it. This works
without JavaScript, on the pages as in JupyterLab, and screen readers know it.
"""

import html
import re

import nbformat
import yaml

from tools.common.exercises import tags
from tools.common.files import write_together
from tools.common.paths import ROOT

QUIZZES = ROOT / "notebooks" / "quizzes.yml"
TAG = "quiz"
MARK = re.compile(r"<!-- quiz: (\S+) -->")
LETTERS = "ABCD"


class QuizError(Exception):
    """The quizzes cannot be used; the message says what is wrong and what to do."""


def read_quizzes(path=QUIZZES):
    """Return the quizzes: by the name of the notebook, then by their own.

    Raises
    ------
    QuizError
        If the file is not of the form that its first lines describe.
    """
    try:
        parts = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        raise QuizError(
            f"{path.name} is no YAML{line} ({getattr(error, 'problem', error)}):"
            " put quotation marks around a text that holds a colon."
        ) from None
    if not isinstance(parts, dict):
        raise QuizError(f"{path.name} is no table of notebooks with their quizzes.")
    for part, quizzes in parts.items():
        if not isinstance(quizzes, dict):
            raise QuizError(f"{path.name}: {part} has no quizzes with a name each.")
        for name, quiz in quizzes.items():
            fault = _fault(quiz)
            if fault:
                raise QuizError(f"{path.name}: {part}, {name} {fault}.")
    return parts


def _fault(quiz):
    """Return what is wrong with the form of one quiz, or None."""
    if not isinstance(quiz, dict) or set(quiz) != {"question", "options"}:
        return "is no question with options, expected these two entries"
    if not _is_text(quiz["question"]):
        return "has no text as its question"
    options = quiz["options"]
    if not isinstance(options, list) or len(options) not in (3, 4):
        return "has not 3 or 4 options"
    for option in options:
        fault = _fault_of_option(option)
        if fault:
            return fault
    right = sum("right" in option for option in options)
    return None if right == 1 else f"has {right} right options, expected one"


def _fault_of_option(option):
    """Return what is wrong with the form of one option, or None."""
    if not isinstance(option, dict) or not set(option) <= {"text", "right", "why"}:
        return "has an option with other entries than text, right and why"
    if not _is_text(option.get("text")):
        return "has an option without a text; numbers need quotation marks"
    if not _is_text(option.get("why")):
        return f"does not say why of the option {option['text']!r}"
    if option.get("right", True) is not True:
        return "has an entry right that is not true: leave it out where it is not"
    return None


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())


def cell_text(part, name, quiz):
    """Return the Markdown of the cell that shows a quiz."""
    lines = [f"<!-- quiz: {name} -->", "", f"**Quiz: {_one_line(quiz['question'])}**"]
    for letter, option in zip(LETTERS, quiz["options"], strict=False):
        verdict = "Right." if option.get("right") else "Not quite."
        # Of the options with one name, a browser keeps at most one open.
        lines += [
            "",
            f'<details name="quiz-{part}-{name}" class="quiz">'
            f"<summary>{letter}. {_as_html(option['text'])}</summary>",
            "",
            f"**{verdict}** {_one_line(option['why'])}",
            "",
            "</details>",
        ]
    return "\n".join(lines)


def _one_line(text):
    return " ".join(text.split())


def _as_html(text):
    """Return a text with `code` as HTML, since a summary is not read as Markdown.

    Some renderers do read it so: the characters that would mean something are escaped.
    """
    escaped = html.escape(_one_line(text), quote=False)
    escaped = re.sub(r"[*_$\\\[\]~^]", lambda m: f"&#{ord(m[0])};", escaped)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)


def filled(notebook, part, quizzes):
    """Fill the quizzes of a notebook, and return a sentence for each that is amiss.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Its cells tagged ``quiz`` are changed.
    part : str
        The name of the notebook, such as "02-model".
    quizzes : dict
        The quizzes of this notebook by name.
    """
    said = []
    shown = []
    for cell in notebook.cells:
        mark = MARK.match(cell.source)
        if cell.cell_type != "markdown" or TAG not in tags(cell):
            if mark:
                said.append(f"{part}: the cell of {mark[1]} has no tag {TAG}.")
            continue
        if not mark:
            said.append(
                f"{part} has a cell tagged {TAG} that names no quiz: begin it with"
                " <!-- quiz: NAME -->."
            )
        elif mark[1] not in quizzes:
            said.append(f"{part} shows {mark[1]}, which {QUIZZES.name} has not.")
        else:
            cell.source = cell_text(part, mark[1], quizzes[mark[1]])
            shown.append(mark[1])
    for name in quizzes:
        if shown.count(name) != 1:
            said.append(f"{part} shows {name} {shown.count(name)} times, expected once")
    return said


def main():
    try:
        parts = read_quizzes(QUIZZES)
    except (OSError, QuizError) as error:
        raise SystemExit(f"No quiz was filled: {error}") from None
    said = []
    changed = {}
    for path in sorted(QUIZZES.parent.glob("*.ipynb")):
        before = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        said += filled(notebook, path.stem, parts.get(path.stem, {}))
        if nbformat.reads(before, as_version=4) != notebook:
            changed[path] = nbformat.writes(notebook) + "\n"
    write_together(changed)
    for path in changed:
        print(f"The quizzes of {path.name} were filled.")
    if said:
        raise SystemExit("\n".join(said))


if __name__ == "__main__":
    main()
