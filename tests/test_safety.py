"""What the lecture must not do, whatever is in a file that it opens."""

import re

import nbformat
from conftest import NOTEBOOKS, ROOT, run, save_notebook

from tools.checks import test as test_tool
from tools.common.environment import guarded


def test_nothing_loads_a_saved_model():
    for path in (*ROOT.glob("helpers/*.py"), *ROOT.glob("tools/**/*.py"), *NOTEBOOKS):
        assert not re.search(r"load_model\(", path.read_text("utf-8")), path


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
    "import tempfile; tempfile.TemporaryFile().close()": False,
    "import socket; socket.socket().bind(('127.0.0.1', 0))": False,
}


def test_notebooks_run_where_network_and_other_folders_are_forbidden(
    tmp_path, monkeypatch
):
    """So does `make test` run them, and another output than what is stored fails."""
    home, path = tmp_path / "home", tmp_path / "tmp" / "some.ipynb"
    for folder in (home, tmp_path / "real"):
        folder.mkdir()
    path.parent.symlink_to("real")  # on a Mac, the folder for them is a link
    folders = {"HOME": home, "USERPROFILE": home, "TMPDIR": path.parent}
    for variable, folder in folders.items():
        monkeypatch.setenv(variable, str(folder))
    save_notebook(path, *((attempt,) for attempt in (*ATTEMPTS, "print(1)")))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="another")]
    nbformat.write(notebook, path)
    _, *command = test_tool.comparison("--nbval", path)
    command += ["-v", "-p", "no:cacheprovider"]
    environment = guarded(str(path.parent), "always")
    _, said = run(*command, cwd=path.parent, env=environment)
    results = re.findall(r"Cell \d+ (PASSED|FAILED)", said)
    expected = ["FAILED" if refused else "PASSED" for refused in ATTEMPTS.values()]
    assert results == [*expected, "FAILED"], said
    assert said.count(" was tried") >= sum(ATTEMPTS.values())
    assert not list(home.iterdir())
