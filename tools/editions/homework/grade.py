"""Grade submissions side by side, and keep a row for each as soon as it is known."""

import concurrent.futures
import hashlib
import json
import os
import re
import signal
from pathlib import Path

import pandas as pd

from helpers import data
from tools.common.exercises import agrees
from tools.common.files import write_together, write_whole
from tools.common.paths import ROOT
from tools.editions.homework.make import HOMEWORK, fingerprint, locked
from tools.editions.homework.sandbox import Sandbox

STUDENT = r"\d{4,}"  # what in the name of a file is the number of a student


def grade(name, submissions, limits, jobs=None, student=None, protected=True):
    """Grade the submissions of one part that have no row yet.

    Parameters
    ----------
    name : str
        The part, such as "01-data", of which the homework was made.
    submissions : list of pathlib.Path
        Notebooks; those that have a row already, unchanged, are not graded again.
    limits : Limits
        What one submission may take.
    jobs : int, optional
        How many are graded side by side; by default, as many as there are cores.
    student : str, optional
        A regular expression; what it finds first in the name of a file is the student,
        in new rows and in those that are there. By default, the one of the last call.
    protected : bool
        Whether submissions are shut off from this machine.
    """
    folder = HOMEWORK / name
    try:
        key = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    except OSError:
        raise SystemExit(
            f"Not graded: {folder}/answers.json is missing: make the homework first."
        ) from None
    missing = [shown_as(path) for path in submissions if not path.is_file()]
    if missing:
        raise SystemExit(f"Not graded: {missing[0]} is no file; name the submissions.")
    labels = [label(path) for path in submissions]
    twice = sorted({text for text in labels if labels.count(text) > 1})
    if twice:
        raise SystemExit(
            f"Not graded: two submissions are named {twice[0]}: rename one."
        )
    shown = filter(None, [key["data"] and data_folder()])
    with (
        locked(folder, "graded"),
        Sandbox(folder / "student", plan(key), limits, shown, protected) as sandbox,
    ):
        refused = sandbox.refused()
        if refused:
            raise SystemExit(
                f"Not graded: submissions cannot be shut off here ({refused}). Use"
                " Linux where `unshare` works, or --unprotected for submissions"
                " that you trust as you trust your own programs."
            )
        open_to_all = sandbox.shows([ROOT, folder, *submissions])
        if open_to_all:
            raise SystemExit(
                f"Not graded: submissions could read {open_to_all[0]}, because it"
                f" is in {open_to_all[1]}, which they need: move one of the two."
            )
        grades = Grades(folder, key, student)
        left = {path: sha256(path) for path in submissions}
        left = {p: known for p, known in left.items() if not grades.has(p, known)}
        print(f"{len(submissions) - len(left)} of {len(submissions)} have a row.")
        grade_all(left, sandbox, grades, jobs or os.cpu_count())
    print(f"The rows are in {grades.path}, the best of each student in gradebook.csv.")


def data_folder():
    """Return the folder of the data, or None if it has none.

    On the stand-in, right answers would be wrong.
    """
    try:
        if data.load_data is data.load_cifar100:
            return data.data_folder(download=False)
        folder = data.load_data(download=False).folder
    except data.DataError as error:
        raise SystemExit(
            f"Not graded: the answers belong to the real images. {error}"
        ) from None
    return folder and Path(folder)


def plan(key):
    """Return what a sandbox has to know of the exercises: no answers."""
    wanted = ("name", "expression", "hidden")
    return {
        number: {part: exercise[part] for part in wanted}
        for number, exercise in key["exercises"].items()
    }


def points(said, exercise):
    """Return the points that the answer to one exercise deserves."""
    answer = said.get("answer")
    tolerance = exercise["tolerance"]
    if answer is None or not agrees(answer, exercise["answer"], tolerance):
        return 0.0
    if exercise["hidden"] is not None:
        hidden = said.get("hidden")
        if hidden is None or not agrees(hidden, exercise["hidden_answer"], tolerance):
            return 0.0
    return exercise["points"]


class Grades:
    """The table of grades of one part, a row for each submission."""

    def __init__(self, folder, key, student=None):
        self.path, self.key = folder / "grades.csv", key
        kept = folder / "student.txt"
        if student is None:
            student = kept.read_text("utf-8") if kept.exists() else STUDENT
        try:
            self.pattern = re.compile(student)
        except re.error as error:
            raise SystemExit(
                f"Not graded: --student {student} is no regular expression ({error})."
            ) from None
        self.rows = {}
        if self.path.exists():
            table = pd.read_csv(self.path, dtype=str, keep_default_na=False)
            for row in table.to_dict("records"):
                row["student"] = self.student(row["submission"])
                self.rows[row["submission"]] = row
        if self.rows:
            self.write()
        if student != STUDENT or kept.exists():
            write_whole(kept, student)

    def student(self, name):
        """Return the student whose submission has that name: file, or else folder."""
        folder, _, file = name.rpartition("/")
        stem = file.removesuffix(".ipynb")
        found = self.pattern.search(stem) or self.pattern.search(folder)
        return harmless(found[0] if found else stem)

    def has(self, path, content):
        """Return whether this very submission was graded by these very answers."""
        row = self.rows.get(label(path), {})
        known = row.get("sha256"), row.get("answers")
        return known == (content, fingerprint(self.key))

    def add(self, path, content, result):
        """Add a row, and write the tables as wholes; return the row.

        The hash of the content is from before the grading: what changes meanwhile is
        graded again.
        """
        exercises = self.key["exercises"].items()
        each = {
            number: points(result.said.get(number, {}), exercise)
            for number, exercise in exercises
        }
        row = {
            "submission": label(path),
            "student": self.student(label(path)),
            "points": f"{sum(each.values()):g}",
            "of": f"{sum(exercise['points'] for _, exercise in exercises):g}",
            **{f"exercise {number}": f"{value:g}" for number, value in each.items()},
            "remark": result.remark,
            "seconds": f"{result.seconds:.0f}",
            "gigabytes": f"{result.gigabytes:.2f}",
            "sha256": content,
            "answers": fingerprint(self.key),
        }
        self.rows[label(path)] = row
        self.write()
        return row

    def write(self):
        """Write the table, and that of each student's best submission."""
        table = pd.DataFrame(self.rows.values()).fillna("")
        best = table.assign(number=table["points"].astype(float))
        best = best.sort_values(["student", "number"]).groupby("student").last()
        book = best[["points", "of", "submission"]].to_csv(lineterminator="\n")
        rows = table.to_csv(index=False, lineterminator="\n")
        write_together({self.path: rows, self.path.with_name("gradebook.csv"): book})


def label(path):
    """Return the name of a submission with that of its folder.

    Learning management systems often give each student a folder.
    """
    return harmless(f"{path.parent.resolve().name}/{path.name}")


def harmless(text):
    """Return a name that others chose so that no terminal and no spreadsheet obeys it.

    What cannot be printed is written as a number, such as \\x1b, and a text that a
    spreadsheet would take for a formula gets an apostrophe before it.
    """
    return re.sub(r"(^|[;,])(?=[=+@-])", r"\1'", shown_as(text))


def shown_as(text):
    """Return a text in which whatever cannot be printed is written as a number."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def sha256(path):
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            found.update(part)
    return found.hexdigest()[:16]


def grade_all(submissions, sandbox, grades, jobs):
    """Grade submissions side by side; Ctrl-C ends those that run and keeps the rest.

    The submissions are a dictionary from the path to the hash of the content.
    """

    def interrupted(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    done = failed = 0
    executor = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        running = {executor.submit(sandbox.run, path): path for path in submissions}
        for future in concurrent.futures.as_completed(running):
            path = running[future]
            done += 1
            said = f"{done} of {len(submissions)}: {label(path)}"
            try:
                row = grades.add(path, submissions[path], future.result())
            except Exception as error:  # the others are graded all the same
                failed += 1
                print(f"{said}, not graded: {shown_as(error)}", flush=True)
                continue
            score = f"{row['points']} of {row['of']} points"
            print(", ".join(filter(None, [said, score, row["remark"]])), flush=True)
    except KeyboardInterrupt:
        raise SystemExit(
            f"Stopped after {done} of {len(submissions)}: what is graded is kept; the"
            " same command goes on."
        ) from None
    finally:
        sandbox.stop.set()
        executor.shutdown(cancel_futures=True)
        signal.signal(signal.SIGTERM, before)
    if failed:
        raise SystemExit(
            f"{failed} of {len(submissions)} could not be graded and have no new row;"
            " the same command tries them again."
        )
