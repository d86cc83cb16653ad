"""The recorder, in processes as a user starts them, on a small copy of the lecture."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, git_environment, load_tool

from helpers import load_run, load_runs
from helpers.data import FILES
from helpers.runs import RUNS

posix = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")
SETUP = """
import os, time
import keras, numpy as np
x_train, y_train = np.ones((20, 32, 32, 3), "uint8"), np.eye(20)
"""
STEP = "layer = keras.layers.Dense(20, activation='softmax')"
TRAIN = """
keras.utils.set_random_seed(SEED)
model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), layer])
model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
pause = keras.callbacks.LambdaCallback(
    on_epoch_begin=lambda epoch, logs: time.sleep(float(os.environ.get("PAUSE", 0)))
)
history = model.fit(
    x_train, y_train, batch_size=8, epochs=4, validation_split=0.2,
    callbacks=[*callbacks, pause],
)
"""


@pytest.fixture(scope="module")
def record():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIFAR100_STAND_IN", "never")  # the script sets it for itself
        yield load_tool("record")


def notebook(*cells):
    """Return a notebook of headings and of pairs: a tag and a source."""
    made = [
        nbformat.v4.new_markdown_cell(cell)
        if isinstance(cell, str)
        else nbformat.v4.new_code_cell(cell[1], metadata={"tags": [cell[0]]})
        for cell in cells
    ]
    return nbformat.v4.new_notebook(cells=made)


# The table of jobs


def test_steps_add_up_and_variants_do_not(record, tmp_path):
    path = tmp_path / "some.ipynb"
    cells = [("setup", "setup"), "## Steps\n\nText.\n\n### One\n\nText.", ("step", "1")]
    cells += [("step", "#| echo: false\nmore"), "### Tried", ("variant", "tried")]
    cells += ["### Two", ("step", "2"), ("train", "fit")]
    nbformat.write(notebook(*cells), path)
    programs, choice = load_tool("jobs").recipes(path)
    assert {name: program.split() for name, program in programs.items()} == {
        "One": ["setup", "1", "more", "fit"],
        "Tried": ["setup", "1", "more", "tried", "fit"],
        "Two": ["setup", "1", "more", "2", "fit"],
    }
    assert choice == "Two"


def test_only_the_last_peak_of_a_program_is_replaced():
    program = "old(peak=0.001)\nnew(peak=0.3, momentum=0.9)\n"
    expected = "old(peak=0.001)\nnew(peak=0.05, momentum=0.9)\n"
    assert load_tool("jobs").with_peak(program, 0.05) == expected


def test_every_job_is_recorded_by_the_committed_cells(record):
    table = record.jobs()
    assert len({job.folder for job in table}) == len(table)
    stale = [job.folder for job in table if not record.recorded(job, RUNS / job.folder)]
    assert stale == [], "the cells have changed since: make record"
    kept = {path.parent for path in RUNS.glob("*/*/run.json")}
    assert kept == {RUNS / job.folder for job in table}, "records without a job"


def test_records_follow_the_schema_and_are_whole(record):
    from jsonschema import Draft202012Validator

    schema = json.loads((RUNS / "schema.json").read_text(encoding="utf-8"))
    hashes = {name: digest for name, (_, digest) in FILES.items()}
    for group in {job.run for job in record.jobs()}:
        trainings, epochs = load_runs(group)
        rows = epochs.groupby(["step", "seed"])["epoch"].agg(["max", "count"])
        assert (rows["max"] == rows["count"]).all()
        steps = -(-trainings["images"] // trainings["batch_size"]) * trainings["epochs"]
        assert (trainings["steps"] == steps).all()
    for path in RUNS.glob("*/*/run.json"):
        text = path.read_text(encoding="utf-8")
        Draft202012Validator(schema).validate(json.loads(text))
        assert json.loads(text)["data_sha256"] == hashes


def test_the_test_images_judge_the_choice_and_what_the_page_admits(record, notebooks):
    trainings, _ = load_runs("improving")
    judged = trainings.dropna(subset="test.accuracy").groupby("step")["seed"].agg(list)
    table = load_tool("jobs")
    choice = table.recipes()[1]
    assert judged[choice] == list(table.SEEDS_OF_THE_CHOICE)
    prose = " ".join(cell.source for cell in notebooks["05-improving.ipynb"].cells)
    admitted = set(re.findall(r'"([^"]+)", was judged as well', prose))
    assert set(judged.index) == {choice} | admitted


def test_trainings_from_one_seed_repeat_each_other():
    trainings, epochs = load_runs("repeat")
    for way in ("plain", "deterministic"):
        of_way = trainings[trainings["step"].str.startswith(way)]
        assert len(of_way) >= 2 and len(set(of_way["weights_sha256"])) == 1
        rows = epochs[epochs["step"].str.startswith(way)].drop(columns="seconds")
        rows = rows.groupby("epoch").nunique().drop(columns=["step", "seed"])
        assert (rows == 1).all(axis=None)


# Reading records


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the baseline among runs/ of its own; the value is its folder."""
    shutil.copytree(RUNS / "baseline", tmp_path / "baseline")
    monkeypatch.setattr("helpers.runs.RUNS", tmp_path)
    return next((tmp_path / "baseline").iterdir())


def test_damaged_record_is_one_sentence(copied):
    from helpers import RunError

    whole = {path: path.read_bytes() for path in copied.iterdir()}
    assert load_run("baseline").weights == copied / "model.weights.h5"
    assert len(load_run(f"baseline/{copied.name}").history) == 30
    for path, content in whole.items():
        for damage in (content[:-10], b"", b"{}", None):
            path.unlink() if damage is None else path.write_bytes(damage)
            with pytest.raises(RunError, match="restore the folder from git, or"):
                load_run("baseline")
        path.write_bytes(content)
    shutil.copytree(copied, copied.with_name("other"))
    with pytest.raises(RunError, match="holds 2 trainings, expected one"):
        load_run("baseline")
    with pytest.raises(RunError, match="holds no training"):
        load_run("nothing")


def test_history_becomes_tidy():
    from helpers import tidy_history

    history = {"accuracy": [0.1, 0.2], "val_accuracy": [0.3, 0.4], "seconds": [1, 1]}
    assert tidy_history(history).to_dict("list") == {
        "epoch": [1, 2, 1, 2],
        "metric": ["accuracy"] * 4,
        "split": ["training"] * 2 + ["validation"] * 2,
        "value": [0.1, 0.2, 0.3, 0.4],
    }
    two = pd.DataFrame({"epoch": [1, 1], "loss": [1, 1], "val_loss": [1, 1]})
    for wrong in ({"loss": [1.0]}, two):
        with pytest.raises(ValueError, match="pass the history of one fit"):
            tidy_history(wrong)


# What is interrupted


def test_history_is_read_without_what_an_interruption_left(record, tmp_path):
    path = tmp_path / "history.csv"
    rows = ["epoch,loss,seconds,val_loss", "0,3,1,NA", "1,9,1,NA", "1,2,1,NA"]
    path.write_text("\n".join([*rows, "2,1,1,NA", "3,0."]))
    assert record.complete(path).to_dict("list") == {
        "epoch": [1, 2, 3],
        "loss": [3, 2, 1],
        "seconds": [1, 1, 1],
    }


def test_old_record_stays_until_the_new_one_is_there(record, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RUNS", tmp_path)
    job = record.Job("some", "One/two?", 1, 5, "program")
    assert job.folder == "some/one-two-5"
    record.publish(job, {"run.json": b"old", "other": b""})
    with monkeypatch.context() as patch:
        patch.setattr(record.shutil, "rmtree", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            record.publish(job, {"run.json": b"new"})
    assert (tmp_path / job.folder / "run.json").read_bytes() == b"old"
    record.publish(job, {"run.json": b"new"})
    assert [p.name for p in (tmp_path / job.folder).iterdir()] == ["run.json"]


def test_copy_inside_another_repository_has_no_commit(tmp_path, monkeypatch):
    provenance = load_tool("provenance")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=git_environment())
    (tmp_path / "copy").mkdir()
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "copy")
    assert provenance.commit() == "unknown"


@pytest.fixture
def lecture(tmp_path):
    """A copy of the lecture with small data and a part 5 of one step; its folder."""
    copy = tmp_path / "lecture"
    for name in ("helpers", "tools", "notebooks"):
        shutil.copytree(ROOT / name, copy / name)
    cells = [("setup", SETUP), "### Either/or", ("step", STEP), ("train", TRAIN)]
    path = copy / "notebooks" / "05-improving.ipynb"
    nbformat.write(notebook(*cells), path)
    content = np.random.default_rng(1).integers(0, 20, (60, 3074), np.uint8).tobytes()
    (copy / "data").mkdir()
    for name in FILES:
        (copy / "data" / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with open(copy / "helpers" / "data.py", "a") as module:
        module.write(f"\nFILES.update(dict.fromkeys(FILES, (60, '{digest}')))\n")
    program = (copy / "tools" / "jobs.py").read_text(encoding="utf-8")
    program = program.replace("range(SEED, SEED + 5)", "range(SEED, SEED + 2)")
    (copy / "tools" / "jobs.py").write_text(program, encoding="utf-8")
    return copy


def start(lecture, *command, **variables):
    """Start a Python program in the copy; its output can be read line by line."""
    variables = {"CIFAR100_DIR": lecture / "data", "PYTHONPATH": lecture, **variables}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=lecture,
        env={**os.environ, **{k: str(v) for k, v in variables.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(process, text, seconds=300):
    """Read what a program prints until a text appears; return all of it."""
    said, end = "", time.monotonic() + seconds
    while text not in said:
        line = process.stdout.readline()
        said += line
        assert line and time.monotonic() < end, said
    return said


def recorded_in(lecture):
    paths = sorted(lecture.glob("runs/*/*/run.json"))
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in paths}


@posix
def test_killed_recording_goes_on_after_the_last_epoch(lecture):
    command = ("tools/record.py", "improving")
    first = start(lecture, *command, PAUSE=1)
    said = wait_for(first, "either-or-425: epoch 2")
    assert "To watch: http://" in said
    first.kill()
    first.wait()
    second = start(lecture, *command)
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 0, said
    assert re.search("either-or-425: going on after epoch [23]", said)
    records = recorded_in(lecture)
    assert list(records) == ["either-or-425", "either-or-426"]
    assert records["either-or-425"]["resumed_after_epochs"][0] in (2, 3)
    assert records["either-or-426"]["resumed_after_epochs"] == []
    for record in records.values():
        assert (record["epochs"], record["images"], record["steps"]) == (4, 16, 8)
        assert record["multiply_adds"] == record["parameters"] - 20 == 3072 * 20
        assert record["operations"] == 6 * 3072 * 20 * 16 * 4
    assert not list(lecture.glob("runs/*/*.partial"))
    third = start(lecture, *command)
    assert "2 of 2 are recorded already" in third.communicate(timeout=300)[0]


@posix
def test_unfinished_training_of_another_kind_or_in_use_is_refused(lecture):
    partial = lecture / "runs/improving/either-or-425.partial"
    partial.mkdir(parents=True)
    (partial / "started.json").write_text('{"job": "another", "resumed": []}')
    said = start(lecture, "tools/record.py", "improving").communicate(timeout=300)[0]
    assert "holds an unfinished training of other cells, options" in said
    assert "either-or-426 recorded" in said, "the others are recorded all the same"
    assert list(recorded_in(lecture)) == ["either-or-426"]
    shutil.rmtree(partial)
    first = start(lecture, "tools/record.py", "improving", PAUSE=300)
    while not (partial / "started.json").exists():
        time.sleep(0.1)
    said = start(lecture, "tools/record.py", "improving").communicate(timeout=300)[0]
    first.kill()
    assert "Another program is recording this training" in said


@posix
def test_cluster_loses_a_worker_and_nothing_else(lecture, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, port = address.split(":")
    dask = ("-m", "dask")
    options = ("--host", host, "--port", port, "--no-dashboard", "--no-show")
    scheduler = start(lecture, *dask, "scheduler", *options)
    options = ("--no-nanny", "--no-dashboard", "--nthreads", 1)
    options += ("--local-directory", tmp_path / "space")
    worker = (*dask, "worker", f"tcp://{address}", *options)
    workers = [start(lecture, *worker, PAUSE=2) for _ in range(2)]
    empty = tmp_path / "empty"
    empty.mkdir()
    try:
        for process in workers:
            wait_for(process, "Registered to")
        elsewhere = {"DASK_SCHEDULER_ADDRESS": f"tcp://{address}"}
        recorder = start(lecture, "tools/record.py", "improving", **elsewhere)
        wait_for(workers[0], ": epoch 2")
        workers[0].send_signal(signal.SIGKILL)
        unfit = start(lecture, *worker, CIFAR100_DIR=empty)
        wait_for(unfit, "expected at hand: give it the same copy")
        said, _ = recorder.communicate(timeout=300)
        assert recorder.returncode == 0, said
        assert said.count(" recorded\n") == 2
        assert list(recorded_in(lecture)) == ["either-or-425", "either-or-426"]
    finally:
        for process in (scheduler, *workers, unfit):
            process.kill()
