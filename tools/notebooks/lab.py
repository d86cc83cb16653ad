"""Open JupyterLab with this folder and the first part of the lecture.

The user's settings of JupyterLab itself, such as a dark theme, larger letters and
shortcuts, are kept. All others stay out, see tools/common/environment.py. Options are
passed on to JupyterLab, as in `make lab LAB="--no-browser --port 8888"`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from jupyterlab.commands import get_user_settings_dir

from tools.common.environment import isolated, list_fonts, own_folder
from tools.common.paths import ROOT

IDLE = 1800  # seconds after which the kernel of a notebook that was closed is stopped


def first_notebook():
    """Return the address of part 1 below that of JupyterLab."""
    notebooks = sorted(ROOT.glob("notebooks/*.ipynb"))
    if not notebooks:
        raise SystemExit(
            f"There are no notebooks in {ROOT / 'notebooks'}, expected one or more:"
            " restore them with git checkout notebooks."
        )
    return "/lab/tree/" + quote(notebooks[0].relative_to(ROOT).as_posix())


def options(folder):
    """Return the options of JupyterLab; those that users add come after them."""
    chosen = [
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url={first_notebook()}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",  # the tabs of this folder
        f"--LabApp.user_settings_dir={user_settings(folder)}",
        "--LabApp.news_url=None",
        "--ServerApp.file_to_run=",
        f"--MappingKernelManager.cull_idle_timeout={IDLE}",
    ]
    if os.name == "posix" and os.geteuid() == 0:
        chosen.append("--allow-root")  # in a container, nobody else is there
    if os.environ.get("SSH_CONNECTION") and not os.environ.get("DISPLAY"):
        chosen.append("--no-browser")  # or a text browser may take over the terminal
    return chosen


def ask_no_news(folder):
    """Let JupyterLab not ask at its first start whether to fetch its news.

    It asks even where they are switched off, unless the setting itself says no. This is
    a default: whoever has chosen otherwise keeps that.
    """
    notification = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}
    }
    path = Path(folder) / "labconfig" / "default_setting_overrides.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notification), encoding="utf-8")


def user_settings(folder):
    """Return where the user's theme and shortcuts are, or could be kept."""
    try:
        return get_user_settings_dir()
    except RuntimeError:  # there is no home folder
        return folder / "lab-settings"


def main(added):
    folder = own_folder() or Path(tempfile.mkdtemp(prefix="cifar100-lecture-"))
    command = [sys.executable, "-m", "jupyterlab", *options(folder), *added]
    environment = isolated(folder)
    ask_no_news(folder)
    list_fonts(environment)  # or the first cell waits for it, and says so
    os.chdir(ROOT)
    if os.name == "nt":
        raise SystemExit(subprocess.call(command, env=environment))
    os.execve(command[0], command, environment)  # so that Ctrl+C is JupyterLab's own


if __name__ == "__main__":
    main(sys.argv[1:])
