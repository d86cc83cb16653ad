"""The one place that decides in which environment notebooks and tests run.

A reader's machine may hold settings of Python, Jupyter, IPython, Keras, Matplotlib,
pip and pytest that suit other work: a backend that draws nothing, a profile that prints
every line, another package called ``helpers``. Whatever executes notebooks leaves them
out and has settings of its own, so that its outputs are those of the lecture.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.common.paths import ROOT
from tools.setup import own_environment

GUARD = Path(__file__).with_name("guard")
# A variable that begins so is a setting of one of these programs, and stays out, ...
OTHERS = ("IPYTHON", "JUPYTER", "KERAS_", "MATPLOTLIB", "MPL", "PYTEST_")
# ... but for the engine below Keras, which pages/systems.qmd lets readers choose, and
# the places where kernels of other languages are, such as R's.
KEPT = ("KERAS_BACKEND", "JUPYTER_DATA_DIR", "JUPYTER_PLATFORM_DIRS")
# IPython reads a profile of the whole machine, too. What it might say is set back here:
# this file is read after it.
PROFILE = """\
c = get_config()
c.InteractiveShell.ast_node_interactivity = "last_expr"
c.InteractiveShell.autocall = 0
c.InteractiveShellApp.exec_files = []
c.InteractiveShellApp.exec_lines = []
c.InteractiveShellApp.extensions = []
c.InteractiveShellApp.code_to_run = ""
c.InteractiveShellApp.file_to_run = ""
c.InteractiveShellApp.exec_PYTHONSTARTUP = False
c.InteractiveShellApp.matplotlib = None
c.InteractiveShellApp.pylab = None
c.InlineBackend.figure_formats = {"png"}
c.InlineBackend.rc = {}
c.InlineBackend.close_figures = True
"""


def home():
    """Return the home folder, or None where this user has none."""
    try:
        found = Path.home()
    except RuntimeError:
        return None
    return found if found.is_dir() else None


def own_folder():
    """Return a folder in .venv that can be written to, or None if there is none."""
    folder = Path(sys.prefix) / "settings"
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def list_fonts(environment):
    """Let Matplotlib list the fonts of this machine, which it does once.

    It takes seconds, and Matplotlib says so: otherwise in the outputs of a notebook.
    """
    if not list(Path(environment["MPLCONFIGDIR"]).glob("fontlist*.json")):
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)


def isolated(folder):
    """Return an environment for notebooks that holds none of the user's settings.

    Parameters
    ----------
    folder : path-like
        An existing folder. What Jupyter, IPython and Keras would write into the home
        folder, they write there.

    Returns
    -------
    dict
        All variables that the programs of the lecture are to have. What Keras has
        downloaded to the home folder is found.
    """
    folder = Path(folder).resolve()
    profile = folder / "profile_default"
    profile.mkdir(exist_ok=True)
    (profile / "ipython_config.py").write_text(PROFILE, encoding="utf-8")
    for name in ("datasets", "models"):
        downloaded = home() and home() / ".keras" / name
        link = folder / name
        if os.name == "posix" and downloaded and downloaded.exists():
            if not link.is_symlink():
                link.symlink_to(downloaded)
    environment = {
        name: value
        for name, value in own_environment().items()
        if name in KEPT or not name.startswith(OTHERS)
    }
    for name in (
        "IPYTHONDIR",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_RUNTIME_DIR",
        "KERAS_HOME",
    ):
        environment[name] = str(folder)
    # Matplotlib's list of fonts takes long to make, so it is kept.
    environment["MPLCONFIGDIR"] = str(own_folder() or folder)
    environment["PYTHONPATH"] = str(ROOT)  # `helpers` is that of this folder
    # The kernel python3 is this Python, whatever else has that name.
    places = [str(Path(sys.prefix) / "share" / "jupyter")]
    if os.environ.get("JUPYTER_PATH"):
        places.append(os.environ["JUPYTER_PATH"])
    environment["JUPYTER_PATH"] = os.pathsep.join(places)
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    if home() is None:
        environment["HOME"] = str(folder)
    return environment


def guarded(folder, stand_in):
    """Return an environment in which notebooks connect and write to nothing outside.

    It is `isolated`, and tools/common/guard refuses all connections, and writing
    outside the lecture's folders. `stand_in` is the value of CIFAR100_STAND_IN.
    """
    environment = {
        name: value
        for name, value in isolated(folder).items()
        if not name.lower().endswith("_proxy")
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(GUARD), str(ROOT)])
    environment["CIFAR100_STAND_IN"] = stand_in
    return environment
