"""Render the site into _site/ with Quarto, or without it with smalldocs."""

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_RENDERER = 3  # the exit status where there is nothing to render with


def quarto():
    """Return the path of a Quarto that starts, or None."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("quarto") or shutil.which("quarto", path=beside)
    return program if program and starts(program) else None


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
    named = importlib.metadata.requires("cifar100-lecture")
    package = next(name for name in named if name.startswith("quarto-cli=="))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--progress-bar", "off"]
    print("Trying to download Quarto, once ...", flush=True)
    try:
        subprocess.run(
            [*pip, *options, package.split(";")[0]], capture_output=True, timeout=600
        )
    except subprocess.TimeoutExpired:
        pass
    tried.write_text("Remove this file to let `make site` try again.\n")


def main():
    program = quarto()
    if program is None:
        install_quarto()
        program = quarto()
    if program:
        command = [program, "render", str(ROOT)]
    elif importlib.util.find_spec("smalldocs"):
        print("Quarto is not at hand and could not be installed: using smalldocs.")
        command = [sys.executable, "-m", "smalldocs.cli", "render", "-q", str(ROOT)]
    else:
        print(
            "The site was not rendered: Quarto is not on the PATH, and its stand-in"
            " smalldocs needs Python 3.11 or newer: install Quarto from quarto.org.",
            file=sys.stderr,
        )
        raise SystemExit(NO_RENDERER)
    shutil.rmtree(ROOT / "_site", ignore_errors=True)
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise SystemExit(f"The site was not rendered: {command[0]} failed, see above.")
    print(f"The front page: {(ROOT / '_site' / 'index.html').as_uri()}")


if __name__ == "__main__":
    main()
