"""Nothing of the user's machine leaks into what notebooks print, draw and open."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from conftest import NOTEBOOKS, ROOT, run, save_notebook, start

from tools.common.environment import isolated
from tools.common.files import write_whole
from tools.notebooks import execute

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """An environment with settings that suit other work, one of each kind."""
    user = tmp_path_factory.mktemp("user") / "user's settings"
    files = {
        "helpers/__init__.py": "raise ImportError('the wrong helpers')",
        "ipython/profile_default/ipython_config.py": (
            "c.InteractiveShell.ast_node_interactivity = 'all'\n"
            "c.InteractiveShellApp.exec_lines = ['print(\"of the user\")']"
        ),
        "ipython/profile_default/startup/10.py": "print('of the user')",
        "keras/keras.json": '{"image_data_format": "channels_first",'
        ' "floatx": "float16", "backend": "tensorflow"}',
        "mpl/matplotlibrc": "figure.facecolor: red",
        "data/kernels/python3/kernel.json": json.dumps(
            {"argv": ["false"], "display_name": "Broken", "language": "python"}
        ),
        "startup.py": "print('of the user')",
        "jupyter/jupyter_server_config.py": (
            f"c.ServerApp.root_dir = {str(user / 'helpers')!r}\n"
            "c.ServerApp.default_url = '/tree'\n"
            "c.ServerApp.base_url = '/elsewhere'\n"
            "c.MultiKernelManager.default_kernel_name = 'other'\n"
        ),
        "jupyter/jupyter_lab_config.py": "c.LabApp.default_url = '/lab/tree/README.md'",
    }
    for name, text in files.items():
        (user / name).parent.mkdir(parents=True, exist_ok=True)
        (user / name).write_text(text, encoding="utf-8")
    places = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "jupyter",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_PATH": "data",
        "KERAS_HOME": "keras",
        "MATPLOTLIBRC": "mpl",
        "MPLCONFIGDIR": "mpl",
        "PYTHONPATH": "",
        "PYTHONSTARTUP": "startup.py",
    }
    settings = {name: str(user / place) for name, place in places.items()}
    settings |= {
        "JUPYTER_PREFER_ENV_PATH": "0",
        "KERAS_MAX_EPOCHS": "1",
        "MPLBACKEND": "Agg",
        "PIP_USER": "1",
        "PYTEST_ADDOPTS": "--no-such-option",
        "PYTHONOPTIMIZE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONWARNINGS": "default",
    }
    return os.environ | settings


CELLS = {
    "import helpers\nprint(helpers.__file__)": str(ROOT / "helpers" / "__init__.py"),
    "1\n2": "2",
    "import warnings\nwarnings.warn('old', PendingDeprecationWarning)": "",
    "print(__debug__)": "True",
    "import sys\nprint(sys.prefix)": sys.prefix,
    "from helpers import quiet_start\nwith quiet_start():\n    import keras\n"
    "print(keras.config.image_data_format(), keras.config.floatx())": (
        "channels_last float32"
    ),
    "import matplotlib as m\nprint(m.rcParams['figure.facecolor'])": "white",
}
FIGURE = "#| label: fig-line\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"


def said(cell):
    """Return all that a cell printed or showed as text."""
    outputs = cell.outputs
    return "".join(
        o.text if "text" in o else o.get("data", {}).get("text/plain", "")
        for o in outputs
    ).strip()


@pytest.fixture(scope="module")
def executed(hostile, tmp_path_factory):
    """The folder of a notebook that was executed from there, through a link.

    The name of the file needs care, too.
    """
    folder = tmp_path_factory.mktemp("executed")
    path, link = folder / 'Grüße an "Ann\'s" Kurs.ipynb', folder / "link.ipynb"
    save_notebook(path, *((source,) for source in (*CELLS, FIGURE)))
    path.chmod(0o640)
    link.symlink_to(path.name)
    path.with_suffix(".new").write_text("of the user")
    command = ["-m", "tools.notebooks.execute", link.name]
    status, printed = run(*command, cwd=folder, env=hostile)
    assert status == 0, printed
    return folder


@posix
def test_execution_has_settings_of_its_own(executed):
    """Also where the current folder is another one, and PYTHONPATH comes first."""
    *cells, figure = nbformat.read(executed / "link.ipynb", as_version=4).cells
    for cell, expected in zip(cells, CELLS.values(), strict=True):
        assert said(cell) == expected, cell.source
    assert "image/png" in figure.outputs[0].data


@posix
def test_executed_file_keeps_its_permissions_and_its_neighbours(executed):
    link = executed / "link.ipynb"
    path = link.resolve()
    assert link.is_symlink() and path.parent == executed
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    beside = path.with_suffix(".new")
    assert beside.read_text() == "of the user"
    assert {p.name for p in executed.iterdir()} == {path.name, link.name, beside.name}


def test_figure_without_a_picture_is_an_error(tmp_path):
    path = tmp_path / "some.ipynb"
    label, drawn = FIGURE.split("\n", 1)
    source = f"{label}\nimport matplotlib as m\nm.use('Agg')\n{drawn}"
    save_notebook(path, ("1",), (source,))
    content = path.read_bytes()
    status, printed = run("-m", "tools.notebooks.execute", path, cwd=ROOT)
    assert status == 1 and path.read_bytes() == content
    assert "is left as it was: the cell fig-line shows no picture" in printed


def test_every_figure_of_the_lecture_is_stored_with_its_picture():
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            label = re.search(r"(?m)^#\| label: (fig-\S+)", cell.source)
            if label and cell.cell_type == "code":
                kinds = [kind for o in cell.outputs for kind in o.get("data", {})]
                assert any(k.startswith("image/") for k in kinds), (path.name, label[1])


def test_memory_that_a_system_does_not_tell_is_not_printed(
    tmp_path, monkeypatch, capsys
):
    """As on Windows; what was measured before stays."""
    monkeypatch.setattr(execute, "Execution", lambda path: Ran())
    monkeypatch.setattr(execute, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(execute, "keep_times", lambda *given: pytest.fail("kept"))
    monkeypatch.setenv("CIFAR100_STAND_IN", "never")
    for unknown in (None, 0):
        monkeypatch.setattr(execute, "peak_bytes", lambda n=unknown, **_: n)
        execute.execute(tmp_path / "some.ipynb")
        assert capsys.readouterr().out.endswith("some.ipynb: 3 s\n")


class Ran:
    """An execution that is over."""

    run = save = staticmethod(lambda: 3)


@posix
def test_written_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "some.json"
    path.write_text("old")
    path.chmod(0o604)
    write_whole(path, "new")
    assert path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == 0o604


def test_engine_that_a_reader_chose_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/simple")
    monkeypatch.setenv("PIP_USER", "1")
    made = isolated(tmp_path)
    assert made["KERAS_BACKEND"] == "jax"
    assert made["PIP_INDEX_URL"] == "https://example.org/simple"
    assert "PIP_USER" not in made


HOMELESS = """
import os, pwd, sys
os.environ.pop("HOME", None)

def nobody(uid):
    raise KeyError(f"uid {uid}")

pwd.getpwuid = nobody
from pathlib import Path
import helpers.data
from tools.common.environment import guarded
made = guarded(sys.argv[1], "always")
assert Path(made["HOME"]) == Path(sys.argv[1]).resolve()
print(helpers.data.CACHE.name)
"""


@posix
def test_user_without_a_home_folder(tmp_path):
    """As in a container that runs under a number without an account."""
    assert run("-c", HOMELESS, tmp_path, cwd=ROOT) == (0, "cifar100-lecture\n")


# The commands of the Makefile.


@pytest.fixture
def made(tmp_path):
    """A folder with our Makefile and tools that say how they were called."""
    if not shutil.which("make"):
        pytest.skip("there is no make")
    folder = tmp_path / 'it\'s a "lecture"'
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "tools/setup.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name in ("notebooks/lab.py", "pages/render.py"):
        (folder / "tools" / name).parent.mkdir(parents=True)
        (folder / "tools" / name).write_text(
            "import json, os, sys\n"
            "from pathlib import Path\n"
            "Path('_site/sub').mkdir(parents=True, exist_ok=True)\n"
            "Path('_site/sub/index.html').touch()\n"
            "print(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
        )
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / ".venv" / "made-for").write_text(f"{folder.resolve()}\n3\n")
    (folder / ".venv" / "ready").touch()

    def make(*command, **options):
        done = subprocess.run(
            ["make", "-s", f"PYTHON={sys.executable}", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            **options,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return folder, make


@posix
def test_make_passes_options_on_and_other_settings_not(made, hostile):
    _, make = made
    options, environment = make("lab", "LAB=--no-browser --port 8888", env=hostile)
    assert options == ["--no-browser", "--port", "8888"]
    left = {name for name in environment if name.startswith("PYTHON")}
    assert left <= {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}, left
    assert "MPLBACKEND" not in environment


@posix
def test_pages_can_be_read_by_others_whatever_the_umask(made):
    """Otherwise a server answers 403 after the pages were copied to it."""
    folder, make = made
    make("site", preexec_fn=lambda: os.umask(0o077))
    for path in (folder / "_site", *(folder / "_site").rglob("*")):
        wanted = 0o755 if path.is_dir() else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def get(address, token):
    request = urllib.request.Request(
        address, headers={"Authorization": f"token {token}"}
    )
    none = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with none.open(request, timeout=20) as answer:
        return answer.geturl(), answer.read().decode()


@pytest.fixture
def lab(hostile):
    """JupyterLab as `make lab` starts it, with the user's settings."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--no-browser", f"--port={port}", "--IdentityProvider.token=secret"]
    command = ["-m", "tools.notebooks.lab", *options]
    process = start(*command, cwd=ROOT, env=hostile)
    address = f"http://127.0.0.1:{port}"
    for _ in range(1500):
        try:
            get(f"{address}/api", "secret")
            break
        except OSError:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.2)
    else:
        process.kill()
        pytest.fail("JupyterLab did not start within five minutes")
    yield lambda path: get(address + path, "secret")
    process.terminate()
    process.communicate(timeout=60)


@posix
def test_lab_opens_part_1_of_this_folder_without_news(lab):
    """Also as root, as in a container."""
    first = min(path.name for path in NOTEBOOKS)
    landed, page = lab("/")
    assert landed.endswith(f"/lab/tree/notebooks/{first}")
    settings = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)<', page)[1])
    assert settings["news"] == {"disabled": True}
    _, asked = lab("/lab/api/settings/@jupyterlab/apputils-extension:notification")
    offered = json.loads(asked)["schema"]["properties"]
    assert offered["fetchNews"]["default"] == "false", "or it asks at its first start"
    _, listed = lab("/api/contents?content=1")
    assert "README.md" in [each["name"] for each in json.loads(listed)["content"]]
    _, kernels = lab("/api/kernelspecs")
    kernels = json.loads(kernels)
    assert kernels["default"] == "python3"
    assert kernels["kernelspecs"]["python3"]["spec"]["display_name"] != "Broken"


def test_files_that_a_shell_reads_have_its_line_ends_in_every_checkout():
    """As git hands them out on Windows, where it may turn all line ends."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git")
    names = [".ci/run", "Makefile", "tools/setup.py", "requirements.lock", "index.qmd"]
    command = ["git", "check-attr", "eol", "--", *names]
    lines = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    assert lines == [f"{name}: eol: lf" for name in names]
