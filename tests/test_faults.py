"""What a user meets on a bad day: one sentence, and a tree that is as it was."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import nbformat
import pytest
from conftest import ROOT, load_tool

posix = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")


def wait_for(path, seconds=60):
    """Wait until a file is there; return its content."""
    for _ in range(seconds * 10):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.1)
    pytest.fail(f"{path.name} did not appear")


def interruptible():
    """Undo what a shell does to the programs that it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(*command, **options):
    if os.name == "posix":
        options.setdefault("preexec_fn", interruptible)
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


@pytest.fixture
def notebook(tmp_path):
    """Make a notebook of cells, and a way to execute it."""

    class Notebook:
        path = tmp_path / "some.ipynb"

        def __init__(self, *sources):
            cells = [nbformat.v4.new_code_cell(source) for source in sources]
            nbformat.write(nbformat.v4.new_notebook(cells=cells), self.path)
            self.content = self.path.read_bytes()

        def execute(self, **options):
            return start(ROOT / "tools" / "execute.py", self.path, **options)

        def is_left_as_it_was(self):
            files = {path.name for path in tmp_path.iterdir()} - {"pid"}
            return self.path.read_bytes() == self.content and files == {"some.ipynb"}

    return Notebook


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "its kernel died in code cell 2 (imp"),
        ("no_such_name", "stopped in code cell 2 (no_such_name) with NameError"),
    ],
)
def test_cell_that_ends_the_execution_is_named(cell, reason, notebook):
    broken = notebook("1", f"#| label: some\n{cell}", "3")
    said, _ = broken.execute().communicate(timeout=120)
    assert f"some.ipynb is left as it was: {reason}" in said
    assert len(said.splitlines()) == 1
    assert broken.is_left_as_it_was()


@posix
def test_interrupted_execution_leaves_the_notebook_and_no_kernel(notebook, tmp_path):
    slow = notebook(
        "1",
        "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "time.sleep(600)",
    )
    process = slow.execute()
    kernel = int(wait_for(tmp_path / "pid"))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert "is left as it was: interrupted in code cell 2 (import os" in said
    assert len(said.splitlines()) == 1
    assert slow.is_left_as_it_was()
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


@posix
def test_full_disk_while_a_notebook_is_written(notebook):
    import resource

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    long = notebook("print('x' * 100_000)")
    said, _ = long.execute(preexec_fn=little_room).communicate(timeout=120)
    assert "some.ipynb is left as it was: [Errno 27] File too large" in said
    assert long.is_left_as_it_was()


def changes(folder):
    return subprocess.check_output(
        ["git", "status", "--porcelain"], cwd=folder, text=True
    )


def fake_quarto(folder, script):
    """Put a program of the name of Quarto onto the PATH; return the environment."""
    folder.mkdir(exist_ok=True)
    (folder / "quarto").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "quarto").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@posix
def test_interrupted_rendering_leaves_a_clean_tree(clone, tmp_path):
    """Quarto renders beside the sources, and then moves the pages."""
    beside = "notebooks/01-data.html index.html pages/data.html slides/index.html"
    script = f"""[ "$1" = render ] || exit 0
        mkdir -p notebooks/01-data_files site_libs; touch site_libs/a {beside}
        echo x > '{tmp_path}/pid'; exec sleep 600"""
    environment = fake_quarto(tmp_path / "bin", script)
    render = clone / "tools" / "render.py"
    process = start(render, cwd=clone, env=environment, start_new_session=True)
    wait_for(tmp_path / "pid")
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert said.splitlines()[-1] == "Interrupted; make site starts again."
    assert process.returncode != 0
    assert changes(clone) == ""
    environment = fake_quarto(tmp_path / "bin", "exit 0")
    again = start(render, cwd=clone, env=environment)
    assert "To look at:" in again.communicate(timeout=60)[0]
    assert again.returncode == 0 and changes(clone) == ""


@posix
def test_interrupted_tests_leave_a_clean_tree(clone, tmp_path):
    environment = fake_quarto(tmp_path / "bin", "exit 0")
    test = clone / "tools" / "test.py"
    process = start(test, cwd=clone, env=environment, start_new_session=True)
    said = ""
    while "test session starts" not in said:
        said += process.stdout.readline() or pytest.fail(said)
    os.killpg(process.pid, signal.SIGINT)
    said += process.communicate(timeout=60)[0]
    assert "Interrupted; nothing of the notebooks has changed." in said
    assert changes(clone) == ""


@posix
def test_interrupted_setup_does_not_pass_for_a_whole_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        process, folder = start_setup(tmp_path, PIP_INDEX_URL=address)
        silent.settimeout(120)
        silent.accept()
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert "Set-up stopped: interrupted; run it again" in said
    assert not (folder / ".venv" / "ready").exists()


@posix
def test_setup_without_a_network_is_one_sentence(tmp_path):
    nobody = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "1"}
    process, folder = start_setup(tmp_path, **nobody)
    said, _ = process.communicate(timeout=120)
    assert "Set-up stopped: the packages could not be downloaded; check the" in said
    assert len(said.splitlines()) == 2  # the first says what it does
    assert not (folder / ".venv" / "ready").exists()


def start_setup(tmp_path, **environment):
    """Start the set-up of a repository that needs one package."""
    folder = tmp_path / "clone"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "setup.py", folder / "tools")
    digest = "0" * 64
    lock = f"no-such-package==1.0 --hash=sha256:{digest}\n"
    (folder / "requirements.lock").write_text(lock)
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": ""}
    settings["NO_PROXY"] = "*"
    process = start(
        folder / "tools" / "setup.py",
        env={**os.environ, **settings, **environment},
        start_new_session=True,
    )
    return process, folder


@posix
def test_broken_quarto_is_said_and_not_used(tmp_path, monkeypatch, capsys):
    environment = fake_quarto(tmp_path, "exit 3")
    monkeypatch.setenv("PATH", environment["PATH"])
    monkeypatch.setenv("QUARTO", "required")
    tool = load_tool("render")
    monkeypatch.setattr(tool.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(tool, "install_quarto", lambda: None)
    monkeypatch.setattr(tool, "write_variables", lambda: None)
    with pytest.raises(SystemExit, match="The site was not rendered"):
        tool.main()
    said = capsys.readouterr().out
    assert said == (
        f"{tmp_path}/quarto does not start, so it is not used: mend or remove it.\n"
    )


@posix
def test_site_that_must_be_of_quarto_is_not_made_without_it(tmp_path, monkeypatch):
    monkeypatch.setenv("QUARTO", "required")
    tool = load_tool("render")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "quarto", lambda: None)
    monkeypatch.setattr(tool, "install_quarto", lambda: None)
    with pytest.raises(SystemExit, match="QUARTO=required, and Quarto is not at hand"):
        tool.main()
    assert not (tmp_path / "_site").exists()


def test_taken_port_is_said_and_passed_over(tmp_path):
    own = ("HOME", "USERPROFILE", "IPYTHONDIR", "JUPYTER_CONFIG_DIR")
    own += ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lab = start(
            *["-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"],
            *[f"--port={port}", "--notebook-dir=.", "--LabApp.news_url="],
            cwd=tmp_path,
            env={**os.environ, **dict.fromkeys(own, str(tmp_path))},
        )
        enough = threading.Timer(60, lab.kill)
        enough.start()
        said = ""
        for line in lab.stdout:
            said += line
            if "is running at" in line or "already in use" in line:
                lab.terminate()
        lab.wait()
        enough.cancel()
    assert f"The port {port} is already in use, trying another port." in said
