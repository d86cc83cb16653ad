"""The recorder, in processes as a user starts them, on a small copy of the lecture."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import numpy as np
import pytest
from conftest import ROOT, git_environment, save_notebook, start
from jsonschema import Draft202012Validator

from helpers import RunError, load_run, load_runs, tidy_history
from helpers.data import FILES
from helpers.runs import RUNS
from tools.common import provenance as provenance_tool
from tools.recording import jobs as jobs_tool
from tools.recording import record as record_tool

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
def wait(epoch, logs):
    while epoch == 2 and os.path.exists("wait"):
        time.sleep(0.1)
callbacks += [keras.callbacks.LambdaCallback(on_epoch_begin=wait)]
options = {"batch_size": 8, "epochs": 4, "validation_split": 0.2}
history = model.fit(x_train, y_train, **options, callbacks=callbacks)
"""


@pytest.fixture(scope="module")
def record():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIFAR100_STAND_IN", "never")  # the script sets it for itself
        yield record_tool


# The table of jobs


def test_steps_add_up_and_variants_do_not(record, tmp_path):
    path = tmp_path / "some.ipynb"
    cells = [("setup", "setup"), "## Steps\n\nText.\n\n### One\n\nText.", ("1", "step")]
    cells += [("#| echo: false\nmore", "step"), "### Tried", ("tried", "variant")]
    cells += ["### Two", ("2", "step"), ("fit", "train")]
    save_notebook(path, *cells)
    programs, choice = jobs_tool.recipes(path)
    assert {name: program.split() for name, program in programs.items()} == {
        "One": ["setup", "1", "more", "fit"],
        "Tried": ["setup", "1", "more", "tried", "fit"],
        "Two": ["setup", "1", "more", "2", "fit"],
    }
    assert choice == "Two"


def test_every_job_is_recorded_by_the_committed_cells(record):
    table = record.jobs()
    assert len({job.folder for job in table}) == len(table)
    stale = [job.folder for job in table if not record.recorded(job, RUNS / job.folder)]
    assert stale == [], "the cells or epochs have changed: make record"
    assert record.record(table) == 0, "nothing is left to do"
    kept = {path.parent for path in RUNS.glob("*/*/run.json")}
    assert kept == {RUNS / job.folder for job in table}, "records without a job"


def test_records_follow_the_schema_and_are_whole():
    schema = json.loads((RUNS / "schema.json").read_text(encoding="utf-8"))
    for path in RUNS.glob("*/*/run.json"):
        record = load_run(path.parent.relative_to(RUNS).as_posix()).record
        Draft202012Validator(schema).validate(record)


def test_the_test_images_judge_the_choice_and_what_the_page_admits(notebooks):
    if "05-improving.ipynb" not in notebooks:
        pytest.skip("part 5 was left out")
    trainings, _ = load_runs("improving")
    judged = trainings.dropna(subset="test.accuracy").groupby("step")["seed"].agg(list)
    table = jobs_tool
    assert judged.pop(table.recipes()[1]) == list(table.SEEDS_OF_THE_CHOICE)
    prose = " ".join(cell.source for cell in notebooks["05-improving.ipynb"].cells)
    assert all(f'"{step}"' in prose for step in judged.index)


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
    whole = {path: path.read_bytes() for path in copied.iterdir()}
    record, history, _ = load_run("baseline")
    assert len(history) == record["epochs"]
    assert load_run(f"baseline/{copied.name}").weights == copied / "model.weights.h5"
    for path, content in whole.items():
        for damage in (content[:-10], b"", b"{}", None):
            path.unlink() if damage is None else path.write_bytes(damage)
            with pytest.raises(RunError, match="restore the folder from git, or"):
                load_run("baseline")
        path.write_bytes(content)
    shutil.copytree(copied, copied.with_name("other"))
    with pytest.raises(RunError, match="holds 2 trainings, expected one"):
        load_run("baseline")
    for name in ("nothing", "/"):
        with pytest.raises(RunError, match="holds no training"):
            load_run(name)


def test_history_becomes_tidy():
    history = {"accuracy": [0.1, 0.2], "val_accuracy": [0.3, 0.4], "seconds": [1, 1]}
    assert tidy_history(history).to_dict("list") == {
        "epoch": [1, 2, 1, 2],
        "metric": ["accuracy"] * 4,
        "split": ["training"] * 2 + ["validation"] * 2,
        "value": [0.1, 0.2, 0.3, 0.4],
    }
    repeated = {"epoch": [1, 1], "loss": [1, 1], "val_loss": [1, 1]}
    for wrong in ({"loss": [1.0]}, repeated):
        with pytest.raises(ValueError, match="pass the history of one fit"):
            tidy_history(wrong)


# What is interrupted


def test_history_is_read_without_what_an_interruption_left(record, tmp_path):
    path = tmp_path / "history.csv"
    rows = ["epoch,loss,seconds,val_loss", "0,3,1,NA", "1,9,1,NA", "1,2,1,NA"]
    path.write_text("\n".join([*rows, "2,nan,1,NA", "3,0."]))
    whole = {"epoch": [1, 2, 3], "loss": [3, 2, -1], "seconds": [1, 1, 1]}
    assert record.complete(path).fillna(-1).to_dict("list") == whole
    path.write_text("epoch,loss,val_loss\n0,nan,NA\n")
    assert list(record.complete(path)) == ["epoch", "loss"]


def test_backup_that_was_killed_between_its_two_files_is_undone(record, tmp_path):
    weights, epoch = tmp_path / "latest.weights.h5", tmp_path / "epoch.json"
    before = [path.with_name(f"{path.name}.bkp") for path in (weights, epoch)]
    for seconds, kept, left in ((1, 1, "new"), (-1, 1, "old"), (-1, 0, None)):
        for path, is_later in ((weights, 0), (epoch, seconds)):
            path.write_text("new")
            os.utime(path, (1000 + is_later, 1000 + is_later))
        for path in before:
            path.write_text("old") if kept else path.unlink()
        record.repair_backup(epoch)
        found = [path.read_text() for path in (weights, epoch) if path.exists()]
        assert found == ([left] * 2 if left else [])


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
    provenance = provenance_tool
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
    cells = [(SETUP, "setup"), "### Either/or", (STEP, "step"), (TRAIN, "train")]
    save_notebook(copy / "notebooks" / "05-improving.ipynb", *cells)
    (copy / "wait").touch()
    content = np.random.default_rng(1).integers(0, 20, (60, 3074), np.uint8).tobytes()
    (copy / "data").mkdir()
    for name in FILES:
        (copy / "data" / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with open(copy / "helpers" / "data.py", "a") as module:
        module.write(f"\nFILES.update(dict.fromkeys(FILES, (60, '{digest}')))\n")
        module.write("load_data = load_cifar100\n")  # whatever the lecture is about
    program = (copy / "tools" / "recording" / "jobs.py").read_text(encoding="utf-8")
    program = program.replace("range(SEED, SEED + 5)", "range(SEED, SEED + 2)")
    (copy / "tools" / "recording" / "jobs.py").write_text(program, encoding="utf-8")
    return copy


def run(lecture, *command, **variables):
    """Start a Python program in the copy, as a user does."""
    own = {"CIFAR100_DIR": lecture / "data", "PYTHONPATH": lecture, **variables}
    return start(*command, cwd=lecture, env=os.environ | own)


def wait_for(process, text):
    """Read what a program prints until a text appears; return all of it."""
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(said)


def recorded_in(lecture):
    paths = sorted(lecture.glob("runs/*/*/run.json"))
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in paths}


@posix
def test_killed_recording_goes_on_after_the_last_epoch(lecture):
    """What another program records, or what is of other cells, is refused."""
    command = ("-m", "tools.recording", "improving")
    foreign = lecture / "runs/improving/either-or-426.partial"
    foreign.mkdir(parents=True)
    (foreign / "started.json").write_text('{"job": "another", "resumed": []}')
    first = run(lecture, *command)
    assert "To watch: http://" in wait_for(first, "either-or-425: epoch 2")
    said, _ = run(lecture, *command).communicate(timeout=300)
    assert "Another program is recording this training" in said
    assert "holds an unfinished training of other cells, options" in said
    first.kill()
    first.wait()
    (lecture / "wait").unlink()
    foreign.with_name("either-or-425.partial").joinpath("history.csv").touch()
    second = run(lecture, *command)
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 1 and "either-or-425 recorded" in said, said
    assert re.search("either-or-425: going on after epoch [12]", said)
    [(name, record)] = recorded_in(lecture).items()
    assert name == "either-or-425" and record["resumed_after_epochs"][0] in (1, 2)
    assert (record["epochs"], record["images"], record["steps"]) == (4, 16, 8)
    assert record["multiply_adds"] == record["parameters"] - 20 == 3072 * 20
    assert record["operations"] == 6 * 3072 * 20 * 16 * 4
    assert [*lecture.glob("runs/*/*.partial")] == [foreign]


@posix
def test_cluster_loses_a_worker_and_nothing_else(lecture, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    address = f"tcp://{host}:{port}"
    options = ("--host", host, "--port", port, "--no-dashboard", "--no-show")
    scheduler = run(lecture, "-m", "dask", "scheduler", *options)
    options = ("--no-nanny", "--no-dashboard", "--nthreads", 1)
    options += ("--local-directory", tmp_path / "space")
    worker = ("-m", "dask", "worker", address, *options)
    workers = [run(lecture, *worker) for _ in range(2)]
    try:
        for process in workers:
            wait_for(process, "Registered to")
        elsewhere = {"DASK_SCHEDULER_ADDRESS": address}
        recorder = run(lecture, "-m", "tools.recording", "improving", **elsewhere)
        wait_for(workers[0], ": epoch 2")
        workers[0].send_signal(signal.SIGKILL)
        workers.append(run(lecture, *worker, CIFAR100_DIR=tmp_path))
        (lecture / "wait").unlink()
        wait_for(workers[2], "expected at hand: give it the same copy")
        said, _ = recorder.communicate(timeout=300)
        assert recorder.returncode == 0, said
        assert said.count(" recorded\n") == 2
        records = recorded_in(lecture)
        assert list(records) == ["either-or-425", "either-or-426"]
        assert sum(len(x["resumed_after_epochs"]) for x in records.values()) == 1
    finally:
        for process in (scheduler, *workers):
            process.kill()
