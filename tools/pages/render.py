"""Render the site, or the slides alone, with Quarto, or without it with smalldocs.

With --view, serve what was rendered to this machine: opened as files, the pages cannot
be searched.
"""

import contextlib
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from helpers.runs import RUNS, RunError, load_runs
from tools.clean import making
from tools.common.files import write_whole
from tools.common.paths import ROOT
from tools.pages.results import judged
from tools.setup import pip_environment

NO_RENDERER = 3  # the exit status where there is nothing to render with


def quarto():
    """Return the path of a Quarto that starts, or None."""
    return next(filter(starts, installed()), None)


def installed():
    """Return the paths of Quarto, whether it starts or not: on the PATH, in .venv."""
    beside = str(Path(sys.executable).parent)
    return filter(None, (shutil.which("quarto"), shutil.which("quarto", path=beside)))


def starts(program):
    try:
        return (
            subprocess.run([program, "--version"], capture_output=True).returncode == 0
        )
    except OSError:
        return False


def install_quarto():
    """Try, once for each .venv, the package that downloads Quarto when it is built."""
    tried = Path(sys.prefix) / "quarto-cli-tried"
    if tried.exists():
        return
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--progress-bar", "off"]
    package = ["--require-hashes", "-r", ROOT / "requirements-quarto.lock"]
    print("Trying to download Quarto, once ...", flush=True)
    try:
        subprocess.run(
            [*pip, *options, *package],
            capture_output=True,
            timeout=600,
            env=pip_environment(sys.executable),
        )
    except subprocess.TimeoutExpired:
        pass
    tried.write_text("Remove this file to let `make site` try again.\n")


def variables():
    """Return what the pages take from the records, as YAML.

    A test accuracy is the mean over the seeds of the trainings that `judged` names.
    """
    lines = ["# Written by `make site` from runs/; do not edit."]
    for name, last in judged().items():
        lines += [f"{name}:", f'  accuracy: "{last["test.accuracy"].mean():.1%}"']
        lines += [f"  epochs: {last['epochs'].max()}", f"  seeds: {len(last)}"]
        if name == "baseline":  # those of others count running averages, too
            lines += [f'  parameters: "{last["parameters"].max():,}"']
    _, epochs = load_runs("repeat")
    fastest = epochs.groupby(epochs["step"].str.split(",").str[0])["seconds"].min()
    ratio = fastest["deterministic"] / fastest["plain"]
    lines += ["repeat:", f'  ratio: "{ratio:.2f}"']
    times = pd.read_csv(RUNS / "notebooks.csv")
    lines += ["notebooks:", f'  gigabytes: "{times["peak_gigabytes"].max():.1f}"']
    dask = json.loads((RUNS / "dask.json").read_text(encoding="utf-8"))
    one, two = dask["workers_1"], dask["workers_2"]
    lines += ["dask:", f'  milliseconds: "{one["milliseconds_per_empty_job"]:.1f}"']
    lines += [f'  one: "{one["trainings_per_hour"]:.0f}"']
    lines += [f'  two: "{two["trainings_per_hour"]:.0f}"']
    return "\n".join(lines) + "\n"


def write_variables():
    """Write _variables.yml, which git holds."""
    write_whole(ROOT / "_variables.yml", variables())


def main(what="index.qmd"):
    page = ROOT / "_site" / Path(what).with_suffix(".html")
    write_variables()
    program = quarto()
    missing = None  # what a person should know, in one line
    if program is None:
        for broken in installed():
            print(f"{broken} does not start, so it is not used: mend or remove it.")
        install_quarto()
        program = quarto()
    if program:
        command = [program, "render", str(ROOT if what == "index.qmd" else ROOT / what)]
    elif os.environ.get("QUARTO") == "required":
        raise SystemExit(
            "The site was not rendered: QUARTO=required, and Quarto is not at hand and"
            " could not be installed: install it from quarto.org."
        )
    elif importlib.util.find_spec("smalldocs"):
        missing = (
            "The slides are one page to read: for a deck, install Quarto (quarto.org)."
        )
        command = [sys.executable, "-m", "tools.pages.fallback", str(ROOT)]
    else:
        print(
            "The site was not rendered: Quarto is not on the PATH, and its stand-in"
            " smalldocs needs Python 3.11 or newer: install Quarto from quarto.org.",
            file=sys.stderr,
        )
        raise SystemExit(NO_RENDERER)
    settings = {
        **os.environ,
        "QUARTO_PYTHON": sys.executable,
    }  # runs prepare and finish
    with making("_site", ROOT, afresh=what == "index.qmd"):
        done = subprocess.run(command, cwd=ROOT, env=settings)
    if done.returncode != 0:
        raise SystemExit(f"The site was not rendered: {command[0]} failed, see above.")
    if missing:
        print(missing)
    own = Path(sys.prefix) == ROOT / ".venv" and os.name != "nt"
    view = "make view" if own else f"{sys.executable} -m tools.pages.render --view"
    print(f"Rendered: {page.as_uri()} ({view} shows it with its search)")


class Pages(SimpleHTTPRequestHandler):
    """The pages, with the types that browsers ask for, and no line for each request."""

    extensions_map = MappingProxyType({".js": "text/javascript"})

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    """A server for the pages in a folder, for this machine alone, on a free port."""

    def __init__(self, folder):
        pages = functools.partial(Pages, directory=folder)
        super().__init__(("127.0.0.1", 0), pages)
        self.address = f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, *arguments):
        """A page that is closed cuts its connections."""


def view():
    if not (ROOT / "_site" / "index.html").exists():
        raise SystemExit("There are no pages yet: make site renders them.")
    with Server(ROOT / "_site") as server, contextlib.suppress(KeyboardInterrupt):
        print(f"The pages: {server.address} (Ctrl+C ends this)", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        view() if sys.argv[1:] == ["--view"] else main(*sys.argv[1:])
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; make site starts again.") from None
    except (RunError, OSError) as error:
        raise SystemExit(f"The site was not rendered: {error}") from None
