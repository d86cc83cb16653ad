import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import load_cifar100
from helpers.data import data_folder

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


@pytest.fixture(scope="session")
def real_data():
    """CIFAR-100 itself; a test that needs it is skipped where it is not at hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIFAR100_STAND_IN", "never")
        if data_folder() is None:
            pytest.skip("the real data is not at hand")
        return load_cifar100()


@pytest.fixture(scope="session")
def notebooks():
    """The committed notebooks by file name."""
    return {path.name: nbformat.read(path, as_version=4) for path in NOTEBOOKS}


def load_tool(name):
    """Import a script of tools/ under a name of its own."""
    spec = importlib.util.spec_from_file_location(
        f"tools_{name}", ROOT / "tools" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
