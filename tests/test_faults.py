"""What a user meets on a bad day: one sentence, and a tree that is as it was."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from conftest import ROOT, save_notebook, start

from tools.pages import render as render_tool

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX's signals")


def wait_for(path):
    """Wait until something stands in a file."""
    for _ in range(1200):
        if path.exists() and path.read_text():
            return
        time.sleep(0.1)
    pytest.fail(f"{path.name} was not written within two minutes")


# As a shell starts a program in the foreground.
FOREGROUND = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
FOREGROUND["start_new_session"] = True


@pytest.fixture
def execute(tmp_path):
    """Execute a notebook of such cells, and see that it is left as it was."""
    path = tmp_path / "some.ipynb"

    def execute(*sources, during=lambda process: None, options=FOREGROUND):
        save_notebook(path, *((source,) for source in sources))
        content = path.read_bytes()
        process = start("-m", "tools.notebooks.execute", path, **options)
        during(process)
        said, _ = process.communicate(timeout=120)
        assert path.read_bytes() == content and process.returncode != 0
        assert {path.name for path in tmp_path.iterdir()} <= {"some.ipynb", "pid"}
        assert len(said.splitlines()) == 1 and "some.ipynb is left as it was: " in said
        return said.split("as it was: ")[1]

    return execute


def test_cell_that_ends_the_execution_is_named(execute):
    said = execute("1", "#| label: some\nimport os; os.kill(os.getpid(), 9)", "3")
    assert said.startswith("its kernel died in code cell 2 (import os;")
    said = execute("1", "no_such_name")
    assert said.startswith("stopped in code cell 2 (no_such_name) with NameError")


def test_interrupted_execution_leaves_the_notebook_and_no_kernel(execute, tmp_path):
    def interrupt(process):
        wait_for(tmp_path / "pid")
        process.send_signal(signal.SIGINT)

    write = "import os, pathlib; pathlib.Path('pid').write_text(str(os.getpid()))"
    said = execute("1", f"{write}; import time; time.sleep(600)", during=interrupt)
    assert said.startswith("interrupted in code cell 2 (import os")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_full_disk_while_a_notebook_is_written(execute):
    resource = pytest.importorskip("resource")
    limit = resource.RLIMIT_FSIZE, (50_000, 50_000)
    room = {"preexec_fn": lambda: resource.setrlimit(*limit)}
    said = execute("print('x' * 100_000)", options=room)
    assert said.startswith("[Errno 27] File too large")


def fake_quarto(folder, script):
    """Put a program of the name of Quarto onto the PATH; return the environment."""
    folder.mkdir(exist_ok=True)
    (folder / "quarto").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "quarto").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_interrupted_rendering_leaves_a_clean_tree(clone, tmp_path):
    """Quarto renders beside the sources, and then moves the pages."""
    beside = "notebooks/01-data.html index.html pages/data.html slides/index.html"
    script = f"""[ "$1" = render ] || exit 0
        mkdir -p notebooks/01-data_files site_libs; touch site_libs/a {beside}
        echo x > '{tmp_path}/pid'; exec sleep 600"""
    environment = fake_quarto(tmp_path / "bin", script)
    process = start(
        "-m", "tools.pages.render", cwd=clone, env=environment, **FOREGROUND
    )
    wait_for(tmp_path / "pid")
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert said.splitlines()[-1] == "Interrupted; make site starts again."
    assert not subprocess.check_output(["git", "status", "--porcelain"], cwd=clone)


def test_interrupted_or_failed_setup_does_not_pass_for_a_whole_one(tmp_path):
    script = tmp_path / "tools" / "setup.py"
    script.parent.mkdir()
    shutil.copy(ROOT / "tools" / "setup.py", script)
    package = f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n"
    (tmp_path / "requirements.lock").write_text(package)
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1", "NO_PROXY": "*"}
    own |= {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}

    def set_up(port):
        index = {"PIP_INDEX_URL": f"http://127.0.0.1:{port}/"}
        return start(script, env=os.environ | own | index, **FOREGROUND)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = set_up(silent.getsockname()[1])
        silent.settimeout(120)
        silent.accept()
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert "Set-up stopped: interrupted; run it again" in said
    assert not (tmp_path / ".venv" / "ready").exists()
    said, _ = set_up(9).communicate(timeout=120)
    assert "Set-up stopped: the packages could not be downloaded; check the" in said
    lines = said.splitlines()
    assert "Setting up .venv" in lines[0] and len(lines) < 5
    assert lines[-2].startswith("2 of 4: 1 packages"), "what it was doing"
    assert not (tmp_path / ".venv" / "ready").exists()


def test_site_is_not_made_without_quarto_that_must_be(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", fake_quarto(tmp_path, "exit 3")["PATH"])
    monkeypatch.setenv("QUARTO", "required")
    monkeypatch.setattr(render_tool, "ROOT", tmp_path)
    monkeypatch.setattr(render_tool.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(render_tool, "install_quarto", lambda: None)
    monkeypatch.setattr(render_tool, "write_variables", lambda: None)
    with pytest.raises(SystemExit, match="QUARTO=required, and Quarto is not at hand"):
        render_tool.main()
    assert f"{tmp_path}/quarto does not start" in capsys.readouterr().out
    assert not (tmp_path / "_site").exists()
