"""Execute one notebook in place, in a fresh kernel, on the real data.

The file is replaced only when every cell has run, together with helpers/answers.json,
which has a hash of the answer to each exercise; the answer itself is kept beside its
solution, in the metadata of that cell. Afterwards the time and the peak of the kernel's
resident memory, as the operating system accounts for it, are printed and put into
runs/notebooks.csv.
"""

import ast
import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import filelock
import nbformat
import pandas as pd
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from helpers.export import NOTEBOOKS
from helpers.runs import RUNS
from tools.common.environment import isolated, list_fonts, own_folder
from tools.common.exercises import (
    COLLAPSED,
    is_folded,
    read_exercises,
    solution_hash,
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


@contextlib.contextmanager
def alone():
    """Let nobody else change files that all notebooks share, such as the answers.

    Two notebooks that are executed at once would each write what they have read.
    """
    folder = own_folder() or Path(tempfile.gettempdir())
    with filelock.FileLock(folder / "cifar100-lecture.lock"):
        yield


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


class Execution:
    """One notebook on its way through a kernel."""

    def __init__(self, path):
        self.path = path
        self.notebook = nbformat.v4.upgrade(nbformat.read(path, as_version=4))
        self.metadata = self.notebook.metadata.copy()
        self.exercises = read_exercises(self.notebook, path.stem)
        self.answers = {}  # by the position of a solution, its value
        self.at = "before its first cell"
        self.asked = {}  # by the position of a cell, the variable to look at after it
        for number, exercise in self.exercises.items():
            self.asked[exercise.solved] = f"answer_{number}"
            if exercise.hidden is not None:
                self.asked[exercise.hidden] = f"hidden_{number}"
        self.client = self.new_client()

    def new_client(self):
        """Return what runs the cells, in a kernel of the notebook's language."""
        kernel = self.metadata.get("kernelspec", {}).get("name", "python3")
        errors_only = ["--IPKernelApp.log_level=40"] if kernel == "python3" else []
        return NotebookClient(
            self.notebook,
            timeout=None,
            kernel_name=kernel,
            record_timing=False,
            coalesce_streams=True,
            extra_arguments=errors_only,
            resources={"metadata": {"path": str(self.path.parent)}},
            on_cell_execute=self.remember,
            on_cell_executed=self.look,
            shutdown_kernel="immediate",
        )

    def remember(self, cell, cell_index):
        """Keep where the execution is, for what is said if it stops."""
        before = self.notebook.cells[: cell_index + 1]
        number = sum(c.cell_type == "code" for c in before)
        lines = [x for x in cell.source.splitlines() if not x.startswith("#|")]
        self.at = f"in code cell {number} ({lines[0] if lines else ''})"

    async def look(self, cell, cell_index, execute_reply):
        """Keep an answer as soon as the solution has run: later cells may change it."""
        ran_well = execute_reply and execute_reply["content"]["status"] == "ok"
        if cell_index in self.asked and ran_well:
            variable = self.asked[cell_index]
            self.answers[cell_index] = await value(self.client, variable)

    def run(self):
        """Execute the cells; return the seconds that they took."""
        start = time.perf_counter()
        self.client.execute()
        check_figures(self.notebook.cells)
        return time.perf_counter() - start

    def save(self):
        """Write the notebook and the answers to its exercises, or neither."""
        forget_and_keep(self.notebook, self.answers)
        # What editors and machines add would differ from one to the next.
        language = self.metadata.get("language_info", {}).get("name", "python")
        python = {"name": "python3", "display_name": "Python 3", "language": "python"}
        self.notebook.metadata = {
            "kernelspec": self.metadata.get("kernelspec", python),
            "language_info": {"name": language},
        }
        cells = [cell for cell in self.notebook.cells if cell.source.strip()]
        self.notebook.cells = cells
        text = nbformat.writes(self.notebook) + "\n"
        with alone():
            hashes = with_answers(self.path, self.notebook, self.exercises)
            write_together({self.path: text, **hashes})

    def reason(self, error):
        """Return why the notebook was not executed, or None for an error of ours."""
        # nbclient answers Ctrl-C by ending the kernel, over which it then stumbles.
        stumbled = hasattr(self.client, "_async_cleanup_kernel_future")
        if isinstance(error, CellExecutionError):
            return f"stopped {self.at} with {error.ename}: {error.evalue}"
        if stumbled or isinstance(error, KeyboardInterrupt):
            return f"interrupted {self.at}."
        if isinstance(error, DeadKernelError):
            return f"its kernel died {self.at}, most often for want of memory."
        if isinstance(error, NoPictureError | ValueError):
            return str(error)
        if isinstance(error, OSError):
            return f"{error}; mend that, and run it again."
        return None


def execute(path):
    """Execute a notebook and replace it, or leave it as it was and say why."""
    if sys.platform == "win32":  # or Jupyter warns that it cannot use the other loop
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    os.environ["CIFAR100_STAND_IN"] = "never"
    try:
        execution = Execution(path)
    except ValueError as error:
        raise SystemExit(f"{path} is left as it was: {error}") from None
    try:
        seconds = execution.run()
        execution.save()
    except NoSuchKernel as error:
        print(f"{path} is left as it was: there is no Jupyter kernel {error.name}.")
        return
    except BaseException as error:
        if "No module named 'torch'" in str(error):
            print(f"{path} is left as it was: PyTorch is not installed.")
            return
        reason = execution.reason(error)
        if reason is None:
            raise
        raise SystemExit(f"{path} is left as it was: {reason}") from None
    peak = peak_bytes(children=True)
    if not peak:  # this system does not tell, so the last measurement stays
        print(f"{path}: {seconds:.0f} s")
        return
    print(f"{path}: {seconds:.0f} s, at most {peak / 1e9:.2f} GB of memory")
    if path.resolve().parent == NOTEBOOKS:
        keep_times(path.stem, round(seconds), round(peak / 1e9, 2))


def keep_times(name, seconds, gigabytes):
    """Put the time and the memory of a notebook into runs/notebooks.csv."""
    with alone():
        table = pd.read_csv(TIMES, index_col="notebook")
        table.loc[name] = seconds, gigabytes, machine()["processor"]
        there = [(NOTEBOOKS / f"{other}.ipynb").exists() for other in table.index]
        table = table[there].sort_index().astype({"seconds": int})
        write_together({TIMES: table.to_csv(lineterminator="\n")})


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
    """Remove the metadata that editors add; fold what is optional; add the answers."""
    for position, cell in enumerate(notebook.cells):
        for name in {*cell.metadata} - KEPT:
            del cell.metadata[name]
        if is_folded(cell):
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
    answers = {}
    for number, exercise in exercises.items():
        truth = notebook.cells[exercise.solved].metadata["answer"]
        before_it = old.get(number)
        kept = stored(truth, exercise.tolerance, old=before_it, data=data)
        kept["solution"] = solution_hash(notebook, exercise, kept["salt"])
        answers[number] = kept
    if answers:
        known[path.stem] = answers
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"
    return {} if known == before else {file: text}


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("Name one notebook, such as notebooks/01-data.ipynb.")
    main(Path(sys.argv[1]))
