"""What the notebooks of the lecture share; see the docstring of each function."""

import importlib

from helpers.exercises import check
from helpers.figures import (
    model_summary,
    plot_confusion,
    plot_images,
    plot_network,
    set_style,
)
from helpers.notebooks import (
    dtype_policy,
    quiet_start,
    run_cells,
    system_information,
)
from helpers.runs import Run, RunError, load_run, load_weights, tidy_history

__all__ = [
    "Cifar100",
    "DataError",
    "NoDataError",
    "Run",
    "RunError",
    "check",
    "dtype_policy",
    "load_cifar100",
    "load_run",
    "load_weights",
    "model_summary",
    "plot_confusion",
    "plot_images",
    "plot_network",
    "quiet_start",
    "run_cells",
    "set_style",
    "system_information",
    "tidy_history",
]


def __getattr__(name):
    """Import helpers.data when it is asked for, so that it can be a command, too."""
    if name in ("Cifar100", "DataError", "NoDataError", "load_cifar100"):
        return getattr(importlib.import_module("helpers.data"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
