"""Execute one notebook in place, in a fresh kernel, on the real data.

The file is replaced only when every cell has run. Afterwards the time and the peak of
the kernel's resident memory, as the operating system accounts for it, are printed and
put into runs/notebooks.csv.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from helpers.exercises import digest
from helpers.export import NOTEBOOKS
from helpers.runs import RUNS
from tools.common.environment import isolated, list_fonts
from tools.common.files import write_whole
from tools.common.provenance import machine, peak_bytes

TIMES = RUNS / "notebooks.csv"
FIGURE = re.compile(r"^#\| *label: *(fig-\S+)", re.M)
CHECK = re.compile(r"check\(answer_(\d+), truth_\1(?:, tolerance=([\d.]+))?\)")


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
    at = "before its first cell"

    def remember(cell, cell_index):
        nonlocal at
        number = sum(c.cell_type == "code" for c in notebook.cells[: cell_index + 1])
        lines = [x for x in cell.source.splitlines() if not x.startswith("#|")]
        at = f"in code cell {number} ({lines[0] if lines else ''})"

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
        shutdown_kernel="immediate",
    )
    tolerances = dict(CHECK.findall("\n".join(c.source for c in notebook.cells)))
    truths = ", ".join(f'"{n}": np.asarray(truth_{n}).tolist()' for n in tolerances)
    last = f"import json\nimport numpy as np\n\nprint(json.dumps({{{truths}}}))"
    if truths:
        notebook.cells.append(nbformat.v4.new_code_cell(last))
    # A name of its own: no file that a user has beside it may be overwritten.
    target = path.resolve()  # a link stays a link
    new = target.with_name(f".{path.name}.{os.getpid()}.new")
    start = time.perf_counter()
    try:
        client.execute()
        check_figures(notebook.cells)
        seconds = time.perf_counter() - start
        if truths:
            truths = json.loads(notebook.cells.pop().outputs[0].text)
        # What editors and machines add would differ from one to the next.
        language = metadata.get("language_info", {}).get("name", "python")
        kept = {"language_info": {"name": language}}
        python = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata = {"kernelspec": metadata.get("kernelspec", python), **kept}
        notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
        for cell in notebook.cells:
            for name in {*cell.metadata} - {"tags", "jupyter"}:
                del cell.metadata[name]
        nbformat.write(notebook, new)
        shutil.copymode(target, new)
        os.replace(new, target)
    except NoSuchKernel:
        return print(f"{path} is left as it was: there is no Jupyter kernel {kernel}.")
    except BaseException as error:
        new.unlink(missing_ok=True)
        # nbclient answers Ctrl-C by ending the kernel, over which it then stumbles.
        stumbled = hasattr(client, "_async_cleanup_kernel_future")
        if isinstance(error, CellExecutionError):
            reason = f"stopped {at} with {error.ename}: {error.evalue}"
        elif stumbled or isinstance(error, KeyboardInterrupt):
            reason = f"interrupted {at}."
        elif isinstance(error, DeadKernelError):
            reason = f"its kernel died {at}, most often for want of memory."
        elif isinstance(error, NoPictureError):
            reason = str(error)
        elif isinstance(error, OSError):
            reason = f"{error}; mend that, and run it again."
        else:
            raise
        raise SystemExit(f"{path} is left as it was: {reason}") from None
    gigabytes = (peak_bytes(children=True) or float("nan")) / 1e9
    print(f"{path}: {seconds:.0f} s, at most {gigabytes:.2f} GB of memory")
    if truths:
        keep(path.resolve(), truths, tolerances)
    if path.resolve().parent == NOTEBOOKS:
        table = pd.read_csv(TIMES, index_col="notebook")
        columns = round(seconds), round(gigabytes, 2), machine()["processor"]
        table.loc[path.stem] = columns
        table = table[[(NOTEBOOKS / f"{name}.ipynb").exists() for name in table.index]]
        table.sort_index().astype({"seconds": int}).to_csv(TIMES, lineterminator="\n")


def keep(path, truths, tolerances):
    """Write the hashes of the right answers, for the editions that do not have them."""
    name, answers = path.stem, path.parents[1] / "helpers" / "answers.json"
    kept = json.loads(answers.read_text("utf-8")) if answers.exists() else {}
    kept.setdefault("salt", secrets.token_hex(8))
    kept[name] = {}
    for number, truth in truths.items():
        salt = f"{kept['salt']} {name} {number}"
        truth = np.array(truth)
        step = None if truth.dtype.kind == "U" else float(tolerances[number] or 0) / 10
        hashes = []
        for i, part in enumerate(truth.flat):
            around = np.rint(part / step) + np.arange(-10, 11) if step else [part]
            values = around * step if step else around
            hashes.append(" ".join(digest(x, step, f"{salt} {i}") for x in values))
        kept[name][number] = [salt, truth.shape, step, hashes]
    write_whole(answers, json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("Name one notebook, such as notebooks/01-data.ipynb.")
    main(Path(sys.argv[1]))
