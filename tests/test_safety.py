"""What the lecture must not do, whatever is in a file that it opens."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import NOTEBOOKS, ROOT, load_tool

from helpers import RunError, load_run, load_weights, quiet_start
from helpers.runs import RUNS


@pytest.fixture(scope="module")
def keras():
    with quiet_start():
        import keras
    return keras


@pytest.fixture
def harmful(keras, tmp_path):
    """A saved model whose layer writes a file, and the path of that file."""
    trace = tmp_path / "executed"
    code = f"lambda x: (open({str(trace)!r}, 'w').close(), x)[1]"
    harm = keras.layers.Lambda(eval(code))
    model = keras.Sequential([keras.Input((4,)), harm])
    model.save(tmp_path / "model.keras")
    assert trace.exists(), "it does no harm, so this would test nothing"
    trace.unlink()
    return tmp_path / "model.keras", trace


def test_code_in_a_saved_model_is_not_executed(keras, harmful):
    for path in (*ROOT.glob("helpers/**/*.py"), *ROOT.glob("tools/*.py"), *NOTEBOOKS):
        assert not re.search("safe_mode|unsafe_deser", path.read_text("utf-8")), path
    path, trace = harmful
    with pytest.raises(ValueError, match="arbitrary code execution"):
        keras.saving.load_model(path)
    assert not trace.exists()


def test_saved_model_in_place_of_weights_is_not_executed(keras, harmful, tmp_path):
    path, trace = harmful
    run = tmp_path / "baseline"
    shutil.copytree(RUNS / "baseline", run)
    shutil.copy(path, run / "model.weights.h5")
    record = json.loads((run / "run.json").read_text("utf-8"))
    content = (run / "model.weights.h5").read_bytes()
    record["files_sha256"]["model.weights.h5"] = hashlib.sha256(content).hexdigest()
    (run / "run.json").write_text(json.dumps(record), "utf-8")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(RunError, match="holds no weights"):
        load_weights(model, load_run("baseline", tmp_path))
    assert not trace.exists()


def test_run_outside_its_folder_is_refused(tmp_path):
    for name in ("../baseline", "/baseline", "..", "", "a/../../b"):
        with pytest.raises(RunError, match="leads out of"):
            load_run(name, tmp_path)


@pytest.mark.parametrize("linked", [False, True], ids=["by name", "by link"])
def test_file_outside_its_run_is_refused(linked, tmp_path):
    shutil.copytree(RUNS / "baseline", tmp_path / "baseline")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    if linked:
        (tmp_path / "baseline" / "link").symlink_to(secret)
    name = "link" if linked else "../secret"
    path = tmp_path / "baseline" / "run.json"
    record = json.loads(path.read_text("utf-8"))
    record["files_sha256"][name] = hashlib.sha256(secret.read_bytes()).hexdigest()
    path.write_text(json.dumps(record), "utf-8")
    with pytest.raises(RunError, match=f"{name} leads out of"):
        load_run("baseline", tmp_path)


PYTEST = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
# What a cell may try to do, and whether the guard refuses it.
ATTEMPTS = {
    "import socket; socket.create_connection(('192.0.2.1', 9), 1)": True,
    "import urllib.request as r; r.urlopen('http://example.org')": True,
    "import socket; socket.gethostbyname('example.org')": True,
    "import pathlib; (pathlib.Path.home() / 'written').touch()": True,
    "import os; os.mkdir(os.path.expanduser('~/made'))": True,
    "open('../home/relative', 'w')": True,
    "import os; os.symlink('x', os.path.expanduser('~/link'))": True,
    "import sqlite3 as s, pathlib; s.connect(pathlib.Path.home() / 'base')": True,
    "import tempfile; tempfile.TemporaryFile().write(b'1')": False,
    "import socket; socket.socket().bind(('127.0.0.1', 0))": False,
}


def test_notebooks_run_where_network_and_other_folders_are_forbidden(
    tmp_path, monkeypatch
):
    """The way in which `make test` runs the notebooks refuses both."""
    home = tmp_path / "home"
    for folder in (home, tmp_path / "real"):
        folder.mkdir()
    (tmp_path / "tmp").symlink_to("real")  # on a Mac, the folder for them is a link
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.syspath_prepend(ROOT / "tools")
    path = tmp_path / "tmp" / "some.ipynb"
    cells = [nbformat.v4.new_code_cell(attempt) for attempt in ATTEMPTS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    result = subprocess.run(
        [*PYTEST, "--nbval-lax", "--nbval-current-env", path.name],
        cwd=path.parent,
        env=load_tool("test").guarded(str(path.parent), "always"),
        capture_output=True,
        text=True,
    )
    said = re.findall(r"Cell \d+ (PASSED|FAILED)", result.stdout)
    expected = ["FAILED" if refused else "PASSED" for refused in ATTEMPTS.values()]
    assert said == expected, result.stdout
    assert result.stdout.count(" was tried") >= sum(ATTEMPTS.values())
    assert not list(home.iterdir())
