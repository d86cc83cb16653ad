"""The recorder, in processes as a user starts them, on a small copy of the lecture."""

import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections import defaultdict
from dataclasses import asdict, replace

import numpy as np
import pytest
from conftest import ROOT, git_environment, save_notebook, start
from filelock import FileLock

from helpers import load_runs
from helpers.data import FILES
from helpers.runs import RUNS
from tools.common import provenance
from tools.recording import __main__ as command
from tools.recording import engine
from tools.recording.jobs import TABLE, jobs

posix = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")
# What the copy of the lecture records.
RECIPES = """
def train_small(data, seed, epochs=4, callbacks=()):
    import os
    import time

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Flatten(), keras.layers.Dense(20, activation="softmax")]
    model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])

    def wait(epoch, logs):
        while epoch == 2 and os.path.exists("wait"):
            time.sleep(0.1)

    waiting = keras.callbacks.LambdaCallback(on_epoch_begin=wait)
    history = model.fit(
        np.ones((20, 32, 32, 3), "uint8"),
        np.eye(20),
        batch_size=8,
        epochs=epochs,
        validation_split=0.2,
        callbacks=[*callbacks, waiting],
        verbose=0,
    )
    return model, history
"""
# In place of the program that trains: what hands the jobs out does not look into it.
PROGRAM = """
import json
import os
import sys
import threading
import time

from helpers.runs import RUNS
from tools.recording.jobs import Job

job = Job(**json.loads(sys.stdin.readline()))
threading.Thread(target=lambda: os._exit(sys.stdin.read() or 1), daemon=True).start()
partial = RUNS / f"{job.folder}.partial"
partial.mkdir(parents=True, exist_ok=True)
resumed = [2] if (partial / "begun").exists() else []
(partial / "begun").touch()
print(f"{job.folder}: epoch 2", flush=True)
while os.path.exists("wait"):
    time.sleep(0.1)
record = {"files_sha256": {}, "resumed_after_epochs": resumed}
(partial / "run.json").write_text(json.dumps(record))
os._exit(0)
"""
TABLE_OF_THE_COPY = """

TABLE = (
    Group(
        "small",
        (Row("Either/or", "train_small", images=16, batch_size=8),),
        seeds(2),
    ),
)
"""


def test_every_job_is_recorded_by_the_committed_code(real_data):
    table = jobs()
    assert len({job.folder for job in table}) == len(table)
    planned = {group.name for group in TABLE if group.planned}
    missing = [x for x in table if not engine.recorded(x, RUNS / x.folder)]
    stale = [x for x in missing if x.group not in planned]
    groups = " ".join(dict.fromkeys(job.group for job in stale))
    assert not groups, f'code or table have changed: make record JOBS="{groups}"'
    kept = {path.parent for path in RUNS.glob("*/*/run.json")}
    folders = {RUNS / job.folder for job in table if job.group not in planned}
    assert kept == folders, "records without a job, or of a group that is `planned`"


def test_timed_jobs_take_turns():
    folders = [job.folder for job in jobs() if job.group == "repeat"]
    assert folders[:3] == [
        "repeat/plain-turn-1-425",
        "repeat/deterministic-turn-1-425",
        "repeat/plain-turn-2-425",
    ]


def test_fewer_epochs_for_a_quick_look_only_where_the_table_sets_them():
    full, short = jobs(), jobs(epochs=2)
    assert [job.folder for job in full] == [job.folder for job in short]
    epochs = {job.group: job.epochs for job in short}
    assert epochs["baseline"] == epochs["few"] == 2
    assert epochs["improving"] is None, "its recipes have them"


def test_a_change_of_a_recipe_changes_the_arguments_and_not_the_name():
    [job] = [x for x in jobs() if x.folder == "rates/sgd-with-momentum-0-1-424"]
    assert job.arguments["recipe"]["learning_rate"] == 0.1
    shown = "run step number seed function arguments code_sha256 batch_size options"
    assert [*job.described] == shown.split()


def rates_tried(group):
    """Return what each learning rate reached, by what was trained with it."""
    _, epochs = load_runs(group)
    ends = epochs.groupby("step", sort=False)["val_accuracy"].last()
    reached = defaultdict(dict)
    for name, accuracy in ends.items():
        step, rate = name.rsplit(", ", 1)
        reached[step][float(rate)] = accuracy
    return reached


@pytest.mark.parametrize(
    ("tries", "compared", "notebook"),
    [
        ("few-rates", "few", "03-training.ipynb"),
        ("rates", "improving", "05-improving.ipynb"),
    ],
)
def test_whatever_is_compared_had_as_many_tries_and_its_best_rate_was_taken(
    tries, compared, notebook, notebooks
):
    if notebook not in notebooks:
        pytest.skip(f"{notebook} was left out")
    reached = rates_tried(tries)
    taken = {
        job.step: {**job.arguments, **job.arguments.get("recipe", {})}["learning_rate"]
        for job in jobs()
        if job.group == compared
    }
    assert {*taken} == {*reached}
    for step, rate in taken.items():
        assert len(reached[step]) == 5
        assert rate == max(reached[step], key=reached[step].get), step


def test_the_ablation_changes_one_ingredient_and_takes_the_best_length_of_steps(
    notebooks,
):
    if "large.ipynb" not in notebooks:
        pytest.skip("large.ipynb was left out")
    recipes = {
        job.step: job.arguments["recipe"] for job in jobs() if job.group == "ablation"
    }
    whole = recipes.pop("The whole recipe")
    changed = {
        step: {name for name in whole if recipe[name] != whole[name]}
        for step, recipe in recipes.items()
    }
    without = recipes["Without orthogonal steps"]
    assert changed.pop("Without orthogonal steps") - {"filters"} == {"orthogonal"}
    assert len(changed) == 6 and all(len(names) == 1 for names in changed.values())
    reached = rates_tried("ablation-steps")
    for kind, recipe in (
        ("Orthogonal steps", whole),
        ("Steps not orthogonal", without),
    ):
        assert len(reached[kind]) == 5
        assert recipe["filters"] == max(reached[kind], key=reached[kind].get)


def test_part_5_opens_the_test_images_for_its_choice_alone_and_with_other_seeds(
    notebooks,
):
    if "05-improving.ipynb" not in notebooks:
        pytest.skip("part 5 was left out")
    of = {name: load_runs(name)[0] for name in ("rates", "improving", "chosen")}
    assert not any("test.accuracy" in of[name] for name in ("rates", "improving"))
    assert len(of["chosen"]) == 5 and of["chosen"]["test.accuracy"].notna().all()
    assert not {*of["rates"]["seed"]} & {*of["improving"]["seed"]}
    seeds_of_step = of["improving"].groupby("step")["seed"].agg(tuple)
    assert {*seeds_of_step} == {tuple(range(425, 430)), tuple(range(425, 435))}


@pytest.mark.parametrize(
    ("commits", "said"),
    [
        (["a" * 40, "b" * 40], "2 of 2 trainings are recorded\n"),
        (["a" * 40, None], "2 of 2 trainings are recorded, 1 of them from no clean"),
        (["a" * 40 + "-dirty", "unknown"], "recorded, 2 of them from no clean commit"),
        (["a" * 40], "1 of 2 trainings are recorded\n    small/step-2: not there\n"),
    ],
)
def test_list_says_how_many_records_name_no_clean_commit(
    commits, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(command, "RUNS", tmp_path)
    table = [replace(jobs()[0], group="small", step="Step", seed=n) for n in (1, 2)]
    for job, commit in zip(table, commits, strict=False):
        (tmp_path / job.folder).mkdir(parents=True)
        record = {**job.described, **engine.data_at_hand(), "commit": commit}
        (tmp_path / job.folder / "run.json").write_text(json.dumps(record))
    command.list_groups(["small"], table)
    assert said in capsys.readouterr().out


# What is interrupted


def test_history_is_read_without_what_an_interruption_left(tmp_path):
    from tools.recording.train import complete

    path = tmp_path / "history.csv"
    rows = ["epoch,loss,seconds,val_loss", "0,3,1,NA", "1,9,1,NA", "1,2,1,NA"]
    path.write_text("\n".join([*rows, "2,nan,1,NA", "3,0."]))
    whole = {"epoch": [1, 2, 3], "loss": [3, 2, -1], "seconds": [1, 1, 1]}
    assert complete(path).fillna(-1).to_dict("list") == whole
    path.write_text("epoch,loss,val_loss\n0,nan,NA\n")
    assert list(complete(path)) == ["epoch", "loss"]


def test_backup_that_was_killed_between_its_two_files_is_undone(tmp_path):
    from tools.recording.train import repair_backup

    weights, epoch = tmp_path / "latest.weights.h5", tmp_path / "epoch.json"
    before = [path.with_name(f"{path.name}.bkp") for path in (weights, epoch)]
    for seconds, kept, left in ((1, 1, "new"), (-1, 1, "old"), (-1, 0, None)):
        for path, is_later in ((weights, 0), (epoch, seconds)):
            path.write_text("new")
            os.utime(path, (1000 + is_later, 1000 + is_later))
        for path in before:
            path.write_text("old") if kept else path.unlink()
        repair_backup(epoch)
        found = [path.read_text() for path in (weights, epoch) if path.exists()]
        assert found == ([left] * 2 if left else [])


@pytest.mark.parametrize("killed_in", ["rename", "rmtree"])
def test_old_or_new_record_is_there_at_every_moment(tmp_path, monkeypatch, killed_in):
    """A kill is tried at each step; a reader then finds one whole record."""
    monkeypatch.setattr(engine, "RUNS", tmp_path)
    monkeypatch.setattr("helpers.runs.RUNS", tmp_path)
    job = replace(jobs()[0], group="some", step="One/two?", seed=5)
    history = b"epoch,loss\n1,2\n"
    digest = hashlib.sha256(history).hexdigest()

    def files(word):
        record = {"files_sha256": {"history.csv": digest}, "converted": word}
        return {"history.csv": history, "run.json": json.dumps(record).encode()}

    from helpers import load_run

    engine.publish(job, files("old"))
    real = {"rename": type(tmp_path).rename, "rmtree": shutil.rmtree}[killed_in]
    for calls_before in range(6):
        left = [calls_before]

        def once_killed(*arguments, left=left, **options):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            if killed_in == "rename":
                patch.setattr(type(tmp_path), "rename", once_killed)
            else:
                patch.setattr(engine.shutil, "rmtree", once_killed)
            try:
                engine.publish(job, files("new"))
            except KeyboardInterrupt:
                pass
            else:
                break
        assert load_run("some/one-two-5").record["converted"] in ("old", "new")
    assert calls_before > 0, "nothing was killed"
    engine.publish(job, files("newest"))
    assert load_run("some/one-two-5").record["converted"] == "newest"
    assert [p.name for p in (tmp_path / "some").iterdir()] == ["one-two-5"]


def test_copy_inside_another_repository_has_no_commit(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=git_environment())
    (tmp_path / "copy").mkdir()
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "copy")
    assert provenance.commit() == "unknown"


def test_what_recording_writes_does_not_make_the_tree_dirty(clone, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", clone)
    assert provenance.changed_files() == []
    [*_, folder] = sorted((clone / "runs" / "baseline").iterdir())
    (folder / "history.csv").write_text("changed")
    (clone / "runs" / "new" / "step-1").mkdir(parents=True)
    (clone / "runs" / "new" / "step-1" / "run.json").touch()
    assert provenance.changed_files() == []
    assert re.fullmatch("[0-9a-f]{40}", provenance.commit())
    (clone / "runs" / "schema.json").write_text("{}")
    (clone / "notebooks" / "mine.txt").touch()
    assert sorted(provenance.changed_files()) == [
        "notebooks/mine.txt",
        "runs/schema.json",
    ]
    assert provenance.commit().endswith("-dirty")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A copy of the lecture with small data and one training; its folder."""
    copy = tmp_path_factory.mktemp("made") / "lecture"
    for name in ("helpers", "tools"):
        shutil.copytree(ROOT / name, copy / name)
    (copy / "notebooks").mkdir()
    save_notebook(copy / "notebooks" / "01-small.ipynb", (RECIPES, "export"))
    assert run(copy, "-m", "tools.notebooks.export").wait() == 0
    content = np.random.default_rng(1).integers(0, 20, (60, 3074), np.uint8).tobytes()
    (copy / "data").mkdir()
    for name in FILES:
        (copy / "data" / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with open(copy / "helpers" / "data.py", "a") as module:
        module.write(f"\nFILES.update(dict.fromkeys(FILES, (60, '{digest}')))\n")
        module.write("load_data = load_cifar100\n")  # whatever the lecture is about
    table = copy / "tools" / "recording" / "jobs.py"
    text = table.read_text(encoding="utf-8")
    table.write_text(re.sub(r"(?ms)^TABLE = \(.*?^\)\n", TABLE_OF_THE_COPY, text))
    return copy


@pytest.fixture
def lecture(made, tmp_path):
    """A copy of that, for one test, in which the trainings wait in epoch 2."""
    copy = shutil.copytree(made, tmp_path / "lecture")
    (copy / "wait").touch()
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


COMMAND = ("-m", "tools.recording", "small")


def test_recording_without_a_commit_is_refused_unless_it_is_a_draft(lecture):
    process = run(lecture, *COMMAND)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    [line] = said.splitlines()
    assert "differ from the last commit: (this copy has no history)" in line
    assert "add --draft" in line and not recorded_in(lecture)


def test_cause_of_a_failure_is_its_error_and_not_what_keras_adds():
    said = ["Traceback", "ValueError: shapes differ", "", "Arguments:", "  • x=1"]
    assert engine.cause(said) == "ValueError: shapes differ"
    assert engine.cause(["Not recorded: no data"]) == "Not recorded: no data"
    assert engine.cause([]) is None


def test_recorder_refuses_a_module_that_is_older_than_a_notebook(lecture):
    cell = ("def another():\n    return 1", "export")
    save_notebook(lecture / "notebooks" / "01-new.ipynb", cell)
    process = run(lecture, *COMMAND, "--draft")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and said.count("\n") == 1
    assert "would run the old code: run `make export` first" in said


@pytest.fixture
def training(tmp_path, monkeypatch):
    """The program that trains, a job that it could do, and the folder for that."""
    from tools.recording import train

    monkeypatch.setattr(train, "RUNS", tmp_path)
    monkeypatch.setattr(train, "data_at_hand", dict)
    job = jobs()[0]
    partial = tmp_path / f"{job.folder}.partial"
    partial.mkdir(parents=True)
    return train, job, partial


def test_unfinished_training_of_other_code_is_refused_and_kept(training):
    train, job, partial = training
    note = partial / "started.json"
    note.write_text('{"job": "another", "resumed": []}')
    with pytest.raises(SystemExit, match="unfinished training of other code, argum"):
        train.train(job)
    assert note.read_text() == '{"job": "another", "resumed": []}'


def test_training_that_another_program_records_is_left_to_it(training, monkeypatch):
    train, job, partial = training
    monkeypatch.setattr(train, "end_with_the_pipe", lambda: None)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(asdict(job))))
    monkeypatch.setenv("CIFAR100_STAND_IN", "never")
    with FileLock(partial / "lock"):
        with pytest.raises(SystemExit, match="Another program is recording this tra"):
            train.main()


@posix
def test_killed_recording_goes_on_after_the_last_epoch(lecture):
    table = lecture / "tools" / "recording" / "jobs.py"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("seeds(2)", "seeds(1)"))
    first = run(lecture, *COMMAND, "--draft")
    assert "To watch: http://" in wait_for(first, "either-or-425: epoch 2")
    first.kill()
    first.wait()
    (lecture / "wait").unlink()
    [partial] = lecture.glob("runs/*/*.partial")
    (partial / "history.csv").touch()
    second = run(lecture, *COMMAND, "--draft")
    said, _ = second.communicate(timeout=300)
    assert second.returncode == 0 and "either-or-425 recorded" in said, said
    assert re.search("either-or-425: going on after epoch [12]", said)
    [(name, record)] = recorded_in(lecture).items()
    assert name == "either-or-425"
    assert record["resumed_after_epochs"][0] in (1, 2)
    assert (record["epochs"], record["images"], record["steps"]) == (4, 16, 8)
    assert record["multiply_adds"] == record["parameters"] - 20 == 3072 * 20
    assert record["trainable_parameters"] == record["parameters"]
    assert record["operations"] == 6 * 3072 * 20 * 16 * 4
    assert record["commit"] == "unknown" and record["converted"] is None
    assert not [*lecture.glob("runs/*/*.partial")]


@posix
def test_cluster_loses_a_worker_and_nothing_else(lecture, tmp_path):
    """Workers without the data are refused in a sentence, whenever they come."""
    (lecture / "tools" / "recording" / "train.py").write_text(PROGRAM)
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    address = f"tcp://{host}:{port}"
    options = ("--host", host, "--port", port, "--no-dashboard", "--no-show")
    scheduler = run(lecture, "-m", "dask", "scheduler", *options)
    options = ("--no-nanny", "--no-dashboard", "--nthreads", 1)
    options += ("--local-directory", tmp_path / "space")
    worker = ("-m", "dask", "worker", address, *options)
    elsewhere = {"DASK_SCHEDULER_ADDRESS": address}
    workers = [run(lecture, *worker, CIFAR100_DIR=tmp_path)]
    try:
        wait_for(workers[0], "Registered to")
        early = run(lecture, *COMMAND, "--draft", **elsewhere)
        said, _ = early.communicate(timeout=300)
        last = said.splitlines()[-1]
        assert early.returncode == 1 and last.startswith("Not recorded: the worker ")
        assert last.endswith("give it the same copy of the lecture and the data.")
        assert "Traceback" not in said
        workers[0].kill()
        workers += [run(lecture, *worker) for _ in range(2)]
        for process in workers[1:]:
            wait_for(process, "Registered to")
        recorder = run(lecture, *COMMAND, "--draft", **elsewhere)
        wait_for(workers[1], ": epoch 2")
        workers[1].send_signal(signal.SIGKILL)
        workers.append(run(lecture, *worker, CIFAR100_DIR=tmp_path))
        wait_for(workers[3], "expected at hand: give it the same copy")
        (lecture / "wait").unlink()
        said, _ = recorder.communicate(timeout=300)
        assert recorder.returncode == 0, said
        assert said.count(" recorded\n") == 2
        records = recorded_in(lecture)
        assert list(records) == ["either-or-425", "either-or-426"]
        assert sum(len(x["resumed_after_epochs"]) for x in records.values()) == 1
    finally:
        for process in (scheduler, *workers):
            process.kill()
