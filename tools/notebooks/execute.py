"""Execute one notebook in place, in a fresh kernel, on the real data.

The file is replaced only when every cell has run, together with helpers/answers.json,
which has a hash of the answer to each exercise; the answer itself is kept beside its
solution, in the metadata of that cell. Afterwards the time and the peak of the kernel's
resident memory, as the operating system accounts for it, are printed and put into
runs/notebooks.csv.
"""

import ast
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pandas as pd
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from helpers.export import NOTEBOOKS
from helpers.runs import RUNS
from tools.common.environment import isolated, list_fonts
from tools.common.exercises import (
    COLLAPSED,
    SOLUTION,
    read_exercises,
    stored,
    uses_data,
)
from tools.common.files import write_together
from tools.common.provenance import machine, peak_bytes

TIMES = RUNS / "notebooks.csv"
FIGURE = re.compile(r"^#\| *label: *(fig-\S+)", re.M)
# What an editor or a machine adds to a cell besides would differ from one to the next.
KEPT = {"tags", "jupyter"}
# The value of a variable as JSON, without a trace in the notebook.
VALUE = (
    '__import__("json").dumps('
    '__import__("helpers.exercises", fromlist=["plain"]).plain({}))'
)


class NoPictureError(Exception):
    """A cell that is a figure showed no picture."""


def check_figures(cells):
    """Raise NoPictureError where a cell that is labelled as a figure has no picture."""
    for cell in cells:
        label = FIGURE.search(cell.source) if cell.cell_type == "code" else None
        if label is None:
            continue
        kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
        if not any(kind.startswith("image/") for kind in kinds):
            raise NoPictureError(
                f"the cell {label[1]} shows no picture, expected one: let it draw, and"
                " choose no other backend of Matplotlib than the notebook's own."
            )


def main(path):
    """Execute the notebook with settings of the lecture's own, not with the user's."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = isolated(folder)
        list_fonts(environment)
        os.environ.clear()
        os.environ.update(environment)
        execute(path)


def execute(path):
    if sys.platform == "win32":  # or Jupyter warns that it cannot use the other loop
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    os.environ["CIFAR100_STAND_IN"] = "never"
    notebook = nbformat.v4.upgrade(nbformat.read(path, as_version=4))
    metadata = notebook.metadata.copy()
    try:
        exercises = read_exercises(notebook, path.stem)
    except ValueError as error:
        raise SystemExit(f"{path} is left as it was: {error}") from None
    answers = {}
    at = "before its first cell"

    def remember(cell, cell_index):
        nonlocal at
        number = sum(c.cell_type == "code" for c in notebook.cells[: cell_index + 1])
        lines = [x for x in cell.source.splitlines() if not x.startswith("#|")]
        at = f"in code cell {number} ({lines[0] if lines else ''})"

    asked = {}  # by the position of a cell, the variable to look at after it
    for number, exercise in exercises.items():
        asked[exercise.solved] = f"answer_{number}"
        if exercise.hidden is not None:
            asked[exercise.hidden] = f"hidden_{number}"

    async def look(cell, cell_index, execute_reply):
        """Keep an answer as soon as the solution has run: later cells may change it."""
        ran_well = execute_reply and execute_reply["content"]["status"] == "ok"
        if cell_index in asked and ran_well:
            answers[cell_index] = await value(client, asked[cell_index])

    kernel = metadata.get("kernelspec", {}).get("name", "python3")
    options = ["--IPKernelApp.log_level=40"] if kernel == "python3" else []
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name=kernel,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=options,  # errors, no hints
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=remember,
        on_cell_executed=look,
        shutdown_kernel="immediate",
    )
    start = time.perf_counter()
    try:
        client.execute()
        check_figures(notebook.cells)
        seconds = time.perf_counter() - start
        forget_and_keep(notebook, answers)
        hashes = with_answers(path, notebook, exercises)
        # What editors and machines add would differ from one to the next.
        language = metadata.get("language_info", {}).get("name", "python")
        kept = {"language_info": {"name": language}}
        python = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata = {"kernelspec": metadata.get("kernelspec", python), **kept}
        notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
        write_together({path: nbformat.writes(notebook) + "\n", **hashes})
    except NoSuchKernel:
        return print(f"{path} is left as it was: there is no Jupyter kernel {kernel}.")
    except BaseException as error:
        # nbclient answers Ctrl-C by ending the kernel, over which it then stumbles.
        stumbled = hasattr(client, "_async_cleanup_kernel_future")
        if isinstance(error, CellExecutionError):
            reason = f"stopped {at} with {error.ename}: {error.evalue}"
        elif stumbled or isinstance(error, KeyboardInterrupt):
            reason = f"interrupted {at}."
        elif isinstance(error, DeadKernelError):
            reason = f"its kernel died {at}, most often for want of memory."
        elif isinstance(error, NoPictureError | ValueError):
            reason = str(error)
        elif isinstance(error, OSError):
            reason = f"{error}; mend that, and run it again."
        else:
            raise
        raise SystemExit(f"{path} is left as it was: {reason}") from None
    gigabytes = (peak_bytes(children=True) or float("nan")) / 1e9
    print(f"{path}: {seconds:.0f} s, at most {gigabytes:.2f} GB of memory")
    if path.resolve().parent == NOTEBOOKS:
        table = pd.read_csv(TIMES, index_col="notebook")
        columns = round(seconds), round(gigabytes, 2), machine()["processor"]
        table.loc[path.stem] = columns
        table = table[[(NOTEBOOKS / f"{name}.ipynb").exists() for name in table.index]]
        table.sort_index().astype({"seconds": int}).to_csv(TIMES, lineterminator="\n")


async def value(client, variable):
    """Return the value of a variable in the kernel of a notebook, as plain data."""
    asked = {"value": VALUE.format(variable)}
    client.kc.execute("", silent=True, user_expressions=asked)
    reply = await client.kc.get_shell_msg(timeout=60)
    found = reply["content"]["user_expressions"]["value"]
    if found["status"] != "ok":
        raise ValueError(f"{variable} cannot be an answer: {found['evalue']}.")
    return json.loads(ast.literal_eval(found["data"]["text/plain"]))


def forget_and_keep(notebook, answers):
    """Remove the metadata that editors add; fold the solutions, and add the answers."""
    for position, cell in enumerate(notebook.cells):
        for name in {*cell.metadata} - KEPT:
            del cell.metadata[name]
        if cell.cell_type == "markdown" and cell.source == SOLUTION:
            cell.metadata[COLLAPSED] = True
        if position in answers:
            cell.metadata["answer"] = answers[position]


def with_answers(path, notebook, exercises):
    """Return helpers/answers.json with the answers of a notebook, as path and text."""
    file = path.resolve().parents[1] / "helpers" / "answers.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    before = dict(known)
    for name in before:
        if not path.with_name(f"{name}.ipynb").exists():
            del known[name]  # a notebook that was left out
    old = known.pop(path.stem, {})
    data = uses_data(notebook)
    answers = {
        number: stored(
            notebook.cells[exercise.solved].metadata["answer"],
            exercise.tolerance,
            old=old.get(number),
            data=data,
        )
        for number, exercise in exercises.items()
    }
    if answers:
        known[path.stem] = answers
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"
    return {} if known == before else {file: text}


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("Name one notebook, such as notebooks/01-data.ipynb.")
    main(Path(sys.argv[1]))
