"""Make graded homework of the exercises with otter-grader, and grade what comes back.

    python -m tools.editions.homework make 01-data
    python -m tools.editions.homework grade 01-data submissions/*.ipynb

The first makes _homework/01-data: the folder `student` and autograder.zip. The second
grades each submission in a process of its own, with limits, and writes grades.csv.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from importlib.metadata import requires
from pathlib import Path

import nbformat
import pandas as pd
from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat.v4 import new_code_cell, new_raw_cell

from helpers import hashed
from tools.common.paths import ROOT
from tools.common.provenance import peak_bytes
from tools.editions.student import JUNK, TRUTH

HOMEWORK = ROOT / "_homework"
LIMITS = {"seconds": 1200, "cell": 300, "gigabytes": 8}  # of a submission and a cell
# What programs would write into the home folder goes into a folder of its own.
OWN = ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "KERAS_HOME", "MPLCONFIGDIR", "TMPDIR")
ASKED = re.compile(r"^answer_(\d+) = None$", re.M)
SOLVED = re.compile(r"^ *answer_(\d+) = ", re.M)
CHECK = re.compile(r"^ *(?:print\()?check\(answer_.*\n?", re.M)
CONFIG = """\
# ASSIGNMENT CONFIG
name: {}
files: [helpers, notebooks, runs]
requirements: requirements.txt
python_version: "3.12"
tests: {{ok_format: false}}
export_cell: {{pdf: false, run_tests: true}}"""
SOLUTION = '''\
# BEGIN SOLUTION NO PROMPT
{}
# END SOLUTION
""" # BEGIN PROMPT
answer_{} = None
""" # END PROMPT'''
FORM = '''\
""" # BEGIN TEST CONFIG
points: 0
""" # END TEST CONFIG
def test_form(answer_{n}):
    from helpers.exercises import Hashed, check

    said = check(answer_{n}, Hashed(*{form}))
    assert "expected" not in said and "None" not in said, said'''
# The functions come from their file, whatever a submission did to the module.
RIGHT = '''\
""" # BEGIN TEST CONFIG
points: {points}
hidden: true
""" # END TEST CONFIG
def test_right(answer_{n}):
    import runpy

    fresh = runpy.run_path("helpers/exercises.py")
    said = fresh["check"](answer_{n}, fresh["Hashed"](*{truth}))
    assert said == "Right.", said'''
DATA = b"""
cd /autograder/source/files && mamba run -n otter-env python -m helpers.data --download
"""


def master(notebook, name):
    """Return the notebook that `otter assign` takes, made of the tagged cells."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    hidden = [cell for cell in code if TRUTH.search(cell.source)]
    truths = {TRUTH.search(c.source)[1]: c.source for c in hidden}
    solutions = {m[1]: c.source for c in code if (m := SOLVED.search(c.source))}
    cells = [new_raw_cell(CONFIG.format(name))]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        asked = ASKED.search(cell.source) if cell.cell_type == "code" else None
        if asked:
            n = asked[1]
            truth = tuple(hashed(name, n))
            form = (*truth[:3], [""] * len(truth[3]))
            points = next((t[7:] for t in tags if t.startswith("points-")), 1)
            solution = truths[n] + "\n" + CHECK.sub("", solutions[n])
            cells += [new_raw_cell(f"# BEGIN QUESTION\nname: q{n}")]
            cells += [new_raw_cell("# BEGIN SOLUTION")]
            cells += [new_code_cell(SOLUTION.format(solution.strip(), n))]
            cells += [new_raw_cell("# END SOLUTION"), new_raw_cell("# BEGIN TESTS")]
            cells += [new_code_cell(FORM.format(n=n, form=form))]
            cells += [new_code_cell(RIGHT.format(n=n, truth=truth, points=points))]
            cells += [new_raw_cell("# END TESTS"), new_raw_cell("# END QUESTION")]
        elif not {"solution", "colab"}.intersection(tags) and cell not in hidden:
            cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def make(name):
    """Make the homework of one notebook in a folder of its own."""
    folder = HOMEWORK / name
    work = folder / "master"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("helpers", "notebooks", "runs"):
        left_out = shutil.ignore_patterns(*JUNK, "answers.json")
        shutil.copytree(ROOT / part, work / part, ignore=left_out)
    whole = nbformat.read(work / "notebooks" / f"{name}.ipynb", as_version=4)
    nbformat.write(master(whole, name), work / f"{name}.ipynb")
    remover = TagRemovePreprocessor(remove_cell_tags={"exercise", "solution"})
    for path in work.glob("notebooks/*.ipynb"):  # cells of which other parts run
        notebook, _ = remover.preprocess(nbformat.read(path, as_version=4), {})
        nbformat.write(notebook, path)
    needed = [r for r in requires("cifar100-lecture") if "extra ==" not in r]
    (work / "requirements.txt").write_text("\n".join(needed) + "\n", encoding="utf-8")
    otter = [sys.executable, "-m", "otter", "assign", f"{name}.ipynb", ".."]
    if subprocess.run(otter, cwd=work).returncode != 0:
        raise SystemExit(f"No homework of {name}: otter assign failed, see above.")
    (made,) = folder.glob("autograder/*.zip")
    archive = folder / "autograder.zip"
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(archive, "w") as new:
        for item in old.namelist():
            new.writestr(item, old.read(item) + (DATA if item == "setup.sh" else b""))
    shutil.rmtree(work)
    shutil.rmtree(folder / "autograder")
    print(f"Hand out {folder / 'student'}; {archive} is for grading.")


def run(archive, submission, folder, limits):
    """Let otter grade one submission; limits hold for this process and the kernel."""
    import resource

    from nbconvert import preprocessors
    from otter.run import main

    class Limited(preprocessors.ExecutePreprocessor):
        def __init__(self, **settings):
            super().__init__(**settings)
            self.timeout, self.interrupt_on_timeout = int(limits["cell"]), True

    preprocessors.ExecutePreprocessor = Limited
    resource.setrlimit(resource.RLIMIT_DATA, (int(limits["gigabytes"] * 1e9),) * 2)
    main(submission, autograder=archive, output_dir=folder, no_logo=True)
    peak = peak_bytes(children=True)
    (Path(folder) / "peak").write_text(f"{peak / 1e9:.2f}")


def grade(name, submissions, limits):
    """Grade submissions one after the other, and write a table with a row for each."""
    archive = HOMEWORK / name / "autograder.zip"
    if not archive.exists():
        raise SystemExit(f"Not graded: {archive} is missing; make the homework first.")
    path = os.pathsep.join([str(ROOT / "tools" / "common" / "guard"), str(ROOT)])
    rows = {}
    for submission in submissions:
        with tempfile.TemporaryDirectory() as folder:
            own = dict.fromkeys(OWN, folder) | {"PYTHONPATH": path}
            if (kept := Path.home() / ".keras" / "datasets").exists():
                (Path(folder) / "datasets").symlink_to(kept)  # of keras.datasets
            command = [
                sys.executable,
                "-m",
                "tools.editions.homework",
                "run",
                archive,
                submission,
                folder,
            ]
            command += [f"--{limit}={value}" for limit, value in limits.items()]
            start = time.monotonic()
            process = subprocess.Popen(
                command,
                env=os.environ | own,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            try:
                said = process.communicate(timeout=limits["seconds"])[1].splitlines()
            except subprocess.TimeoutExpired:
                said = [f"stopped after {limits['seconds']:.0f} seconds"]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            row = {"points": 0, "seconds": round(time.monotonic() - start)}
            peak = Path(folder) / "peak"
            if peak.exists():
                tests = json.loads((Path(folder) / "results.json").read_text())["tests"]
                scores = {t["name"]: t["score"] for t in tests if "score" in t}
                row |= {"points": sum(scores.values()), **scores}
                row["gigabytes"] = float(peak.read_text())
            else:
                row["remark"] = said[-1] if said else "the process was killed"
            rows[submission] = row
            print(submission, row)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("submission")
    table.to_csv(HOMEWORK / name / "grades.csv")


if __name__ == "__main__":
    if importlib.util.find_spec("otter") is None:
        raise SystemExit("Install otter-grader first: see pages/homework.qmd.")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["make", "grade", "run"])
    parser.add_argument("what", nargs="*")
    for limit, default in LIMITS.items():
        parser.add_argument(f"--{limit}", type=float, default=default)
    given = vars(parser.parse_args())
    action, what = given.pop("action"), given.pop("what")
    if action == "make":
        for name in what or sorted(p.stem for p in ROOT.glob("notebooks/0*.ipynb")):
            make(name)
    elif action == "grade":
        if len(what) < 2:
            parser.error("name a part, such as 01-data, and the submissions")
        grade(what[0], what[1:], given)
    else:
        run(*what, given)
